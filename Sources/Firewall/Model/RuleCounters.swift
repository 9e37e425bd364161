/// What was counted for each rule, by its slot.
package struct RuleCounters: Sendable, Equatable {
  package struct Counter: Sendable, Equatable, BitwiseCopyable {
    package var packets: UInt64 = 0
    /// By the packets' own length fields.
    package var bytes: UInt64 = 0
    /// Nanoseconds since 1970; 0: never.
    package var lastMatch: UInt64 = 0

    @inlinable package init(packets: UInt64 = 0, bytes: UInt64 = 0, lastMatch: UInt64 = 0) {
      self.packets = packets
      self.bytes = bytes
      self.lastMatch = lastMatch
    }
  }

  package private(set) var counters: [Counter] = []
  /// The time to note with a match, in nanoseconds since 1970; whoever evaluates sets it, once per batch.
  package var now: UInt64 = 0

  package init() {}

  package init(for ruleSet: RuleSet) { resize(for: ruleSet) }

  /// Makes room for the slots of a rule set; what was counted stays.
  package mutating func resize(for ruleSet: RuleSet) {
    let missing = ruleSet.slotCount - counters.count
    if missing > 0 { counters.append(contentsOf: repeatElement(Counter(), count: missing)) }
  }

  package subscript(slot: Int) -> Counter {
    get { slot < counters.count ? counters[slot] : Counter() }
    set { counters[slot] = newValue }
  }

  package mutating func clear(slot: Int) {
    if slot < counters.count { counters[slot] = Counter() }
  }

  package mutating func count(slot: Int, bytes: UInt32) {
    let old = counters[slot]
    counters[slot] = Counter(packets: old.packets + 1, bytes: old.bytes + UInt64(bytes), lastMatch: now)
  }
}
