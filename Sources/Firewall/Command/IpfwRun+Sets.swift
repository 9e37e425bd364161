/// `set …` and `delete set …` (ipfw2.c, `ipfw_sets_handler`).
extension IpfwRun {
  mutating func changeSets(_ words: [String], _ flags: IpfwFlags) throws(RuleError) {
    var words = words[...]
    guard let word = words.first else { throw RuleError("set needs command", .usage) }
    guard !word.isEmpty, let command = Command.setCommands.first(where: { $0.hasPrefix(word) }) else {
      throw RuleError("invalid set command \(word)", .usage)
    }
    if word != command { warn(RuleParser.abbreviation(word, command)) }
    switch command {
    case "show": say(Self.text(ruleSet.disabledSets))
    case "swap": try swapSets(words.dropFirst(), flags)
    case "move": try moveToSet(words.dropFirst(), flags)
    default:
      words[words.startIndex] = command
      try switchSets(words, flags)
    }
  }

  /// Several are possible; one without rules is no failure.
  mutating func deleteSets(_ words: ArraySlice<String>, _ flags: IpfwFlags) throws(RuleError) {
    guard !words.isEmpty else { throw RuleError("missing rule specification", .usage) }
    var sets: [UInt8] = []
    for word in words { sets.append(try Self.set(word)) }
    guard !flags.isTest else { return }
    for set in sets {
      let removed = ruleSet.delete(0...RuleSet.defaultNumber, set: set)
      for entry in removed { fresh.remove(entry.slot) }
      if !removed.isEmpty { isChanged = true }
    }
  }

  /// Set 31 is never shown: it is always enabled.
  private static func text(_ disabledSets: UInt32) -> String {
    let sets = 0..<RuleSet.reservedSet
    let disabled = sets.filter { disabledSets & 1 << UInt32($0) != 0 }.map { " \($0)" }.joined()
    let enabled = sets.filter { disabledSets & 1 << UInt32($0) == 0 }.map { " \($0)" }.joined()
    return [("disable", disabled), ("enable", enabled)].filter { !$0.1.isEmpty }
      .map { $0.0 + $0.1 }.joined(separator: " ") + "\n"
  }

  private static func set(_ word: String) throws(RuleError) -> UInt8 {
    guard let set = RuleSet.setNumber(word) else { throw RuleError("invalid set number \(word)", .badData) }
    return set
  }

  private mutating func swapSets(_ words: ArraySlice<String>, _ flags: IpfwFlags) throws(RuleError) {
    guard words.count >= 2 else { throw RuleError("set swap needs 2 set numbers", .usage) }
    let (one, other) = (try Self.set(words[words.startIndex]), try Self.set(words[words.startIndex + 1]))
    move(flags) { $0.set == one ? other : $0.set == other ? one : $0.set }
  }

  private mutating func moveToSet(_ words: ArraySlice<String>, _ flags: IpfwFlags) throws(RuleError) {
    var words = words
    var movesRule = false
    if let word = words.first, abbreviates(word, "rule") {
      movesRule = true
      words.removeFirst()
    }
    guard words.count == 3, abbreviates(words[words.startIndex + 1], "to") else {
      throw RuleError("syntax: set move [rule] X to Y", .usage)
    }
    let (source, target) = (words[words.startIndex], words[words.startIndex + 2])
    let number = source.utf8.allSatisfy(isDigit) ? UInt16(source) : nil
    guard let number, number < RuleSet.defaultNumber, movesRule || number <= RuleSet.reservedSet else {
      throw RuleError("invalid source number \(source)", .badData)
    }
    guard let set = RuleSet.setNumber(target) else {
      throw RuleError("invalid dest. set \(target)", .badData)
    }
    move(flags) { rule in
      (movesRule ? rule.number == number : UInt16(rule.set) == number) ? set : rule.set
    }
  }

  private mutating func move(_ flags: IpfwFlags, _ set: (Rule) -> UInt8) {
    guard !flags.isTest else { return }
    ruleSet.moveRules(set)
    isChanged = true
  }

  /// `enable N… disable M…`, all at once.
  private mutating func switchSets(_ words: ArraySlice<String>, _ flags: IpfwFlags) throws(RuleError) {
    var enables = false
    var (enabled, disabled): (UInt32, UInt32) = (0, 0)
    for word in words {
      if word.utf8.first.map(isDigit) == true {
        let bit: UInt32 = 1 << UInt32(try Self.set(word))
        if enables { enabled |= bit } else { disabled |= bit }
      } else if abbreviates(word, "disable") {
        enables = false
      } else if abbreviates(word, "enable") {
        enables = true
      } else {
        throw RuleError("invalid set command \(word)", .badData)
      }
    }
    guard enabled & disabled == 0 else {
      throw RuleError("cannot enable and disable the same set", .badData)
    }
    guard !flags.isTest else { return }
    ruleSet.setSets(enabled: enabled, disabled: disabled)
    isChanged = true
  }

  private mutating func abbreviates(_ word: String, _ keyword: String) -> Bool {
    guard !word.isEmpty, keyword.hasPrefix(word) else { return false }
    if word != keyword { warn(RuleParser.abbreviation(word, keyword)) }
    return true
  }
}
