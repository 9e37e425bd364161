extension RuleSet {
  /// net.inet.ip.fw.autoinc_step's default.
  package static let automaticStep: UInt16 = 100

  /// Puts a rule behind those of its number, or, with number 0, behind all but the default rule.
  ///
  /// An automatic number is that of the last rule before the default one, plus ``automaticStep``; where that
  /// would reach 65535, the last number is used again (ip_fw_sockopt.c, `ipfw_add_rule`).
  ///
  /// - Returns: The rule with its real number.
  /// - Throws: What the kernel refuses: a number beyond 65534.
  /// - Complexity: O(number of rules).
  @discardableResult
  package mutating func add(_ rule: Rule) throws(RuleError) -> Rule { try insert(rule).rule }

  /// ``add(_:)``, and where the rule went.
  package mutating func insert(_ rule: Rule) throws(RuleError) -> (index: Int, rule: Rule) {
    guard rule.number < Self.defaultNumber else {
      throw RuleError("getsockopt(IP_FW_XADD): Invalid argument", .unavailable)
    }
    var rule = rule
    if rule.number == 0 {
      let last = entries.count > 1 ? entries[entries.count - 2].rule.number : 0
      let (next, overflow) = last.addingReportingOverflow(Self.automaticStep)
      rule.number = overflow || next >= Self.defaultNumber ? last : next
    }
    let index = index(after: rule.number)
    entries.insert(Entry(rule: rule, slot: takeSlot()), at: index)
    return (index, rule)
  }

  package func adding(_ rule: Rule) throws(RuleError) -> (ruleSet: RuleSet, rule: Rule) {
    var copy = self
    let added = try copy.add(rule)
    return (copy, added)
  }

  /// Removes the rules in a range of numbers, of one set or of all; the default rule stays whatever the range.
  ///
  /// - Returns: The removed entries, in order.
  @discardableResult
  package mutating func delete(_ numbers: ClosedRange<UInt16>, set: UInt8? = nil) -> [Entry] {
    delete { entry in numbers.contains(entry.rule.number) && (set == nil || entry.rule.set == set) }
  }

  package func deleting(_ numbers: ClosedRange<UInt16>) -> (ruleSet: RuleSet, removed: [Entry]) {
    var copy = self
    let removed = copy.delete(numbers)
    return (copy, removed)
  }

  /// Removes all rules, or all of a set, but for those in the reserved one, 31.
  @discardableResult
  package mutating func deleteAll(set: UInt8? = nil) -> [Entry] {
    delete { entry in
      entry.rule.set != Self.reservedSet && (set == nil || entry.rule.set == set)
    }
  }

  private mutating func delete(where isDoomed: (Entry) -> Bool) -> [Entry] {
    let removed = entries.dropLast().filter(isDoomed)
    guard !removed.isEmpty else { return [] }
    let slots = Set(removed.map(\.slot))
    entries.removeAll { slots.contains($0.slot) }
    for entry in removed { release(slot: entry.slot) }
    return removed
  }

  /// Only the default rule and those of set 31 are left.
  package func flushed() -> RuleSet {
    var copy = self
    copy.deleteAll()
    return copy
  }

  /// The entries in a range of numbers, the default rule among them.
  package func entries(in numbers: ClosedRange<UInt16>) -> ArraySlice<Entry> {
    let first = numbers.lowerBound == 0 ? 0 : index(after: numbers.lowerBound - 1)
    let past =
      numbers.upperBound == Self.defaultNumber ? entries.count : index(after: numbers.upperBound)
    return entries[first..<max(first, past)]
  }
}
