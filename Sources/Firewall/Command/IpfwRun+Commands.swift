extension IpfwRun {
  mutating func add(_ words: [String], _ flags: IpfwFlags) throws(RuleError) {
    var parser = RuleParser(words, names: names)
    defer { for warning in parser.warnings { warn(warning) } }
    var rule = try parser.rule()
    if !flags.isTest {
      let (index, added) = try ruleSet.insert(rule)
      fresh.insert(ruleSet.entries[index].slot)
      isChanged = true
      rule = added
    }
    if !flags.isQuiet { say(printer(flags).line(rule) + "\n") }
  }

  /// Several numbers and ranges; 0 is all. What is missing is said, unless -q, and is a failure, unless -f.
  mutating func delete(_ line: ParsedCommand, _ flags: IpfwFlags) throws(RuleError) {
    guard let first = line.arguments.first else { throw RuleError("missing rule specification", .usage) }
    if "set".hasPrefix(first), !first.isEmpty {
      guard line.set == nil else { throw RuleError("invalid syntax", .badData) }
      if first != "set" { warn(RuleParser.abbreviation(first, "set")) }
      return try deleteSets(line.arguments.dropFirst(), flags)
    }
    var numbers: [NumberRange] = []
    for word in line.arguments {
      guard let range = NumberRange(word), max(range.first, range.last) <= RuleSet.defaultNumber else {
        throw RuleError("invalid rule number: \(word)", .usage)
      }
      numbers.append(range)
    }
    var misses = false
    for range in numbers {
      let isAll = range.first == 0 && range.last == 0
      guard let asked = range.closed else {
        misses = true
        if !flags.isQuiet { warn("rule \(range.first): setsockopt(IP_FW_XDEL): Invalid argument") }
        continue
      }
      let removed =
        flags.isTest ? [] : isAll ? ruleSet.deleteAll(set: line.set) : ruleSet.delete(asked, set: line.set)
      for entry in removed { fresh.remove(entry.slot) }
      if !removed.isEmpty {
        isChanged = true
        continue
      }
      misses = true
      guard !flags.isQuiet else { continue }
      // the doubled word is ipfw's own
      warn(
        range.first == range.last
          ? "rule \(range.first) not found" : "no rules rules in \(range.first)-\(range.last) range")
    }
    if misses && !flags.isForced { result.status = RuleError.Status.unavailable.rawValue }
  }

  /// `set N flush` is `delete set N`.
  mutating func flush(_ set: UInt8?, _ flags: IpfwFlags) {
    if !flags.isTest {
      let removed =
        set.map { ruleSet.delete(0...RuleSet.defaultNumber, set: $0) } ?? ruleSet.deleteAll()
      for entry in removed { fresh.remove(entry.slot) }
      isChanged = true
    }
    if !flags.isQuiet { say("Flushed all rules.\n") }
  }

  mutating func zero(_ line: ParsedCommand, _ flags: IpfwFlags) throws(RuleError) {
    try reset(line, flags, all: "Accounting cleared.", one: "cleared.") { $0.insert($1) }
  }

  /// What is logged is not counted yet, so there is nothing to begin anew; the rules have to be there all the same.
  mutating func resetLog(_ line: ParsedCommand, _ flags: IpfwFlags) throws(RuleError) {
    try reset(line, flags, all: "Logging counts reset.", one: "logging count reset.") { _, _ in }
  }

  /// What is missing goes to stdout, also with -q; the others are still done.
  private mutating func reset(
    _ line: ParsedCommand, _ flags: IpfwFlags, all: String, one: String,
    _ clear: (_ cleared: inout Set<Int>, _ slot: Int) -> Void
  ) throws(RuleError) {
    if line.arguments.isEmpty {
      if !flags.isTest {
        for entry in ruleSet.entries where line.concerns(entry) { clear(&cleared, entry.slot) }
      }
      if !flags.isQuiet { say("\(all)\n") }
      return
    }
    for word in line.arguments {
      guard let first = word.utf8.first, isDigit(first) else {
        throw RuleError("invalid rule number ``\(word)''", .usage)
      }
      guard let number = UInt16(word) else { throw RuleError("invalid rule number \(word)", .badData) }
      let entries = flags.isTest ? [] : ruleSet.entries(in: number...number).filter(line.concerns)
      for entry in entries { clear(&cleared, entry.slot) }
      if entries.isEmpty {
        say("Entry \(number) not found\n")
        result.status = RuleError.Status.unavailable.rawValue
      } else if !flags.isQuiet {
        say("Entry \(number) \(one)\n")
      }
    }
  }

  mutating func list(
    _ line: ParsedCommand, _ flags: IpfwFlags, counters: Bool, _ backend: some FirewallBackend
  ) {
    guard !flags.isTest else {
      result.errors += "Testing only, list disabled\n"
      return
    }
    guard !flags.showsOnlyDynamic else { return }
    var entries: [RuleSet.Entry] = line.arguments.isEmpty ? ruleSet.entries.filter(line.concerns) : []
    for word in line.arguments {
      guard let range = NumberRange(word) else {
        fail(RuleError("invalid rule number: \(word)", .usage))
        continue
      }
      let found = range.closed.map { ruleSet.entries(in: $0).filter(line.concerns) } ?? []
      entries += found
      if found.isEmpty {
        fail(
          RuleError(
            range.first == range.last
              ? "rule \(range.first) does not exist" : "no rules in range \(range.first)-\(range.last)",
            .unavailable))
      }
    }
    var listing = Listing(printer: printer(flags))
    listing.showsCounters = counters
    listing.disabledSets = ruleSet.disabledSets
    // they are there, and so no error, but they are shown with -S only
    if !flags.showsSets { entries.removeAll { !ruleSet.isEnabled($0.rule) } }
    listing.time = flags.time
    say(listing.text(entries) { counter($0, backend) })
  }

  private func printer(_ flags: IpfwFlags) -> RulePrinter {
    var printer = RulePrinter(names: names)
    printer.showsServices = flags.showsServices
    printer.isCompact = flags.isCompact
    printer.showsSets = flags.showsSets
    printer.isBrief = flags.isBrief
    return printer
  }
}

/// `N` or `N-M` as typed: M may be less than N, and is 0 where nothing follows the dash. Both may be more than any rule's
/// number.
struct NumberRange: Equatable {
  let first: UInt64
  let last: UInt64

  init?(_ word: String) {
    let parts = word.split(separator: "-", maxSplits: 1, omittingEmptySubsequences: false)
    guard !parts[0].isEmpty, parts.allSatisfy({ $0.utf8.allSatisfy(isDigit) }) else { return nil }
    // As strtoul(3): what does not fit is the greatest number.
    let numbers = parts.map { $0.isEmpty ? 0 : UInt64($0) ?? .max }
    (first, last) = (numbers[0], numbers[numbers.count - 1])
  }

  /// nil: no rule can have such a number.
  var closed: ClosedRange<UInt16>? {
    guard first <= last, let first = UInt16(exactly: first) else { return nil }
    return first...UInt16(clamping: last)
  }
}
