import Firewall
import TestSupport
import Testing

struct RuleSetTests {
  static func rules(_ numbers: [UInt16]) throws -> RuleSet {
    var rules = RuleSet(default: .deny)
    for number in numbers { try rules.add(Rule(number: number, action: .allow)) }
    return rules
  }

  static func numbers(_ rules: RuleSet) -> [UInt16] { rules.entries.map(\.rule.number) }

  @Test(
    arguments: [
      ([0, 0, 0], [100, 200, 300, 65535]),
      ([500, 0, 50, 0], [50, 500, 600, 700, 65535]),
      ([65434, 0], [65434, 65534, 65535]),
      // 65535 would be reached: the last number again
      ([65435, 0, 0], [65435, 65435, 65435, 65535]),
      ([65534, 0], [65534, 65534, 65535]),
    ] as [([UInt16], [UInt16])])
  func `rules are numbered and sorted`(given: [UInt16], numbers: [UInt16]) throws {
    #expect(Self.numbers(try Self.rules(given)) == numbers)
  }

  @Test func `rules of one number stay in order of insertion`() throws {
    var rules = RuleSet(default: .deny)
    for port in [3, 1, 2] as [UInt16] { try rules.add(Rule(number: 100, action: .divert(port: port))) }
    #expect(
      rules.entries.map(\.rule.action) == [.divert(port: 3), .divert(port: 1), .divert(port: 2), .deny])
  }

  @Test func `the default rule's number cannot be added`() {
    #expect(throws: RuleError("getsockopt(IP_FW_XADD): Invalid argument", .unavailable)) {
      _ = try RuleSet(default: .deny).adding(Rule(number: 65535, action: .allow))
    }
  }

  @Test func `a slot is used again when its rule is gone, the lowest first`() throws {
    var rules = try Self.rules([10, 20, 30, 40])
    #expect(rules.entries.map(\.slot) == [1, 2, 3, 4, 0])
    #expect(rules.slotCount == 5)
    #expect(rules.delete(20...30).map(\.slot) == [2, 3])
    #expect(rules.slotCount == 5)
    for number in [5, 6, 7] as [UInt16] { try rules.add(Rule(number: number, action: .allow)) }
    #expect(rules.entries.map(\.slot) == [2, 3, 5, 1, 4, 0])
    #expect(rules.flushed().slotCount == 1)
    #expect(rules.flushed() == RuleSet(default: .deny))
  }

  @Test(
    arguments: [
      (0, 0), (99, 0), (100, 2), (101, 2), (199, 2), (200, 3), (65533, 3), (65534, 3), (65535, 3),
    ] as [(UInt16, Int)])
  func `processing restarts behind all rules of the tag's number`(tag: UInt16, index: Int) throws {
    #expect(try Self.rules([100, 100, 200]).index(after: tag) == index)
  }

  @Test(
    arguments: [
      (0...65535, [100, 100, 200, 65535]), (100...100, [100, 100]), (101...199, []), (101...200, [200]),
      (201...65534, []), (65535...65535, [65535]), (0...0, []), (0...100, [100, 100]),
    ] as [(ClosedRange<UInt16>, [UInt16])])
  func `a range of numbers is found, and deleted but for the default rule`(
    range: ClosedRange<UInt16>, numbers: [UInt16]
  ) throws {
    let rules = try Self.rules([100, 100, 200])
    #expect(rules.entries(in: range).map(\.rule.number) == numbers)
    let (rest, removed) = rules.deleting(range)
    #expect(removed.map(\.rule.number) == numbers.filter { $0 != 65535 })
    #expect(rest.entries.count + removed.count == 4)
    #expect(rest.entries.last == rules.entries.last)
  }

  @Test func `after any edits slots are unique and numbers sorted`() throws {
    var random = SeededGenerator()
    var rules = RuleSet(default: .allow)
    for round in 0..<2000 {
      if Int.random(in: 0..<3, using: &random) > 0 {
        try rules.add(Rule(number: UInt16.random(in: 0..<300, using: &random), action: .count))
      } else {
        let low = UInt16.random(in: 0..<300, using: &random)
        rules.delete(low...(low + UInt16.random(in: 0..<20, using: &random)))
      }
      let slots = Set(rules.entries.map(\.slot))
      try #require(slots.count == rules.entries.count, "seed \(testSeed), round \(round)")
      try #require(slots.max() == rules.slotCount - 1, "seed \(testSeed), round \(round)")
      let numbers = Self.numbers(rules)
      try #require(numbers == numbers.sorted() && numbers.last == 65535, "seed \(testSeed), round \(round)")
    }
  }

  @Test(arguments: [
    ("em0", "em0", true), ("em*", "em0", true), ("em*", "em", true), ("em*", "lo0", false), ("*", "", true),
    ("em?", "em", false), ("em?", "em1", true), ("e[l-n]0", "em0", true), ("e[!l-n]0", "em0", false),
    ("e[^x]0", "em0", true), ("[]a]", "]", true), ("[a-]", "-", true), ("[a", "[a", true), ("[a", "a", false),
    ("\\*", "*", true), ("\\*", "x", false), ("a*b*c", "axxbyyc", true), ("a*b*c", "axxbyy", false),
    ("*a*a*a*b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaa", false), ("a\\", "a\\", true), ("", "", true),
    ("", "a", false),
  ])
  func `a pattern matches as fnmatch(3) does`(pattern: String, name: String, matches: Bool) {
    #expect(Glob(pattern).matches(name) == matches)
  }
}
