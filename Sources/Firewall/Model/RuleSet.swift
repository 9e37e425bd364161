/// The rules in the order in which they are tried: an immutable value that is swapped whole.
///
/// Counters are kept apart, by `slot`: a number that stays with a rule while it exists and is used anew
/// afterwards.
package struct RuleSet: Sendable, Equatable {
  package struct Entry: Sendable, Equatable {
    package let rule: Rule
    package let slot: Int

    package init(rule: Rule, slot: Int) {
      self.rule = rule
      self.slot = slot
    }
  }

  /// Sorted by number, rules of the same number in order of insertion; the default rule 65535 is always last.
  package internal(set) var entries: [Entry]

  /// Bit n is set n. The rules of such a set stay, but are skipped; set 31 cannot be disabled.
  package internal(set) var disabledSets: UInt32 = 0

  /// Which slots are taken; all below `firstFree` are.
  private var taken = [true]
  private var firstFree = 1

  package static let defaultNumber: UInt16 = 65535

  /// Only the default rule, in slot 0.
  package init(default action: Action) {
    entries = [Entry(rule: Rule(number: Self.defaultNumber, action: action, set: Self.reservedSet), slot: 0)]
  }

  /// A rule set as it was, each rule in its slot.
  ///
  /// - Returns: nil for entries that are none: out of order, without the default rule, or with a slot of two.
  package init?(entries: [Entry], disabledSets: UInt32) {
    guard let last = entries.last, last.rule.number == Self.defaultNumber, last.slot == 0,
      let highest = entries.map(\.slot).max(), entries.allSatisfy({ 0..<1 << 20 ~= $0.slot }),
      zip(entries, entries.dropFirst()).allSatisfy({ $0.rule.number <= $1.rule.number }),
      Set(entries.map(\.slot)).count == entries.count
    else { return nil }
    self.entries = entries
    self.disabledSets = disabledSets & ~(1 << UInt32(Self.reservedSet))
    taken = Array(repeating: false, count: highest + 1)
    for entry in entries { taken[entry.slot] = true }
    firstFree = 0
  }

  /// The index of the first entry whose number is greater than `tag`: where processing restarts
  /// (divert(4): "re-enter the packet filter at the rule number following the tag"); at most that of the
  /// default rule.
  package func index(after tag: UInt16) -> Int {
    var low = 0
    var high = entries.count - 1
    while low < high {
      let middle = (low + high) / 2
      if entries[middle].rule.number > tag { high = middle } else { low = middle + 1 }
    }
    return low
  }

  /// One more than the highest slot in use: so many counters are needed.
  package var slotCount: Int { (taken.lastIndex(of: true) ?? 0) + 1 }

  /// The lowest free slot, now taken.
  mutating func takeSlot() -> Int {
    while firstFree < taken.count, taken[firstFree] { firstFree += 1 }
    if firstFree == taken.count { taken.append(true) } else { taken[firstFree] = true }
    return firstFree
  }

  mutating func release(slot: Int) {
    taken[slot] = false
    firstFree = min(firstFree, slot)
  }

  package static func == (left: RuleSet, right: RuleSet) -> Bool {
    left.entries == right.entries && left.disabledSets == right.disabledSets
  }
}

extension RuleSet {
  /// Slots that a rule has which another rule or none had in earlier rules. A rule that has moved to another set is the
  /// same.
  package func newSlots(since before: RuleSet) -> [Int] {
    var places = [Int32](repeating: -1, count: Swift.max(slotCount, before.slotCount))
    for (index, entry) in before.entries.enumerated() { places[entry.slot] = Int32(index) }
    return entries.compactMap { entry in
      let place = Int(places[entry.slot])
      return place >= 0 && before.entries[place].rule.isSame(as: entry.rule) ? nil : entry.slot
    }
  }

  /// Whether another image is needed where interfaces change.
  package var mentionsInterfaces: Bool {
    entries.contains {
      $0.rule.clauses.contains { $0.terms.contains(where: \.test.option.dependsOnInterfaces) }
    }
  }
}

extension Rule {
  /// Whether only the sets differ.
  fileprivate func isSame(as other: Rule) -> Bool {
    number == other.number && action == other.action && clauses == other.clauses
      && probability == other.probability && logAmount == other.logAmount && hasFromTo == other.hasFromTo
      && comment == other.comment
  }
}
