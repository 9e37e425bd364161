extension RuleSet {
  /// Survives a flush and cannot be disabled; the default rule is in it.
  package static let reservedSet: UInt8 = 31

  /// 0...31
  static func setNumber(_ word: some StringProtocol) -> UInt8? {
    guard word.utf8.allSatisfy(isDigit), let number = UInt8(word), number <= reservedSet else { return nil }
    return number
  }

  package func isEnabled(_ rule: Rule) -> Bool { disabledSets & 1 << UInt32(rule.set) == 0 }

  /// Both at once, so that no packet sees something between. Bit n is set n.
  package mutating func setSets(enabled: UInt32, disabled: UInt32) {
    disabledSets = (disabledSets & ~enabled | disabled) & ~(1 << UInt32(Self.reservedSet))
  }

  /// Puts rules into other sets; they keep their places and slots. The default rule stays where it is.
  package mutating func moveRules(_ set: (Rule) -> UInt8) {
    for index in entries.indices.dropLast() {
      let entry = entries[index]
      entries[index] = Entry(rule: entry.rule.inSet(set(entry.rule)), slot: entry.slot)
    }
  }
}

extension Rule {
  /// The same rule in a set, for moving, and to tell a moved rule from another one.
  package func inSet(_ set: UInt8) -> Rule {
    var rule = self
    rule.set = set
    return rule
  }
}
