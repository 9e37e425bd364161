import AllocationCounter
import Firewall
import Packets
import TestSupport
import Testing

/// The index only passes over rules that cannot match: with it and without, all is the same.
struct RuleIndexTests {
  @Test(arguments: [3, 30, 300]) func `with the index and without, verdicts and counters are the same`(
    _ ruleCount: Int
  ) throws {
    let packets = try EvaluatorTests.Sort.allCases.map { sort in
      let bytes = try sort.bytes()
      return PacketFields(parsing: bytes.rawSpan)
    }
    var decisions: Set<String> = []
    var indexedCount = 0
    for round in 0..<(3000 / ruleCount) {
      var random = SeededGenerator(stream: UInt64(round))
      var rules = RuleSet(default: Bool.random(using: &random) ? .allow : .deny)
      for _ in 0..<ruleCount {
        var rule = RulePropertiesTests.rule(&random)
        rule.number = .random(in: 1...1000, using: &random)
        // most rules let a packet go on, so that many are met
        switch Int.random(in: 0..<8, using: &random) {
        case 0: break
        case 1: rule.action = .skipto(.random(in: 1...1100, using: &random))
        case 2: rule.action = .tee(port: 2000)
        default: rule.action = .count
        }
        try rules.add(rule)
      }
      rules.setSets(enabled: 0, disabled: .random(in: 0...(.max), using: &random) & 0x1111_1111)
      let indexed = ResolvedRules(ruleSet: rules, host: EvaluatorTests.host, indexedFrom: 0)
      let walked = ResolvedRules(ruleSet: rules, host: EvaluatorTests.host, indexedFrom: .max)
      #expect(!walked.isIndexed)
      indexedCount += indexed.isIndexed ? 1 : 0
      var (indexedCounters, walkedCounters) = (RuleCounters(for: rules), RuleCounters(for: rules))
      for (number, packet) in packets.enumerated() {
        let pass = [EvaluatorTests.inEth0, EvaluatorTests.outEth1, EvaluatorTests.forwarded][number % 3]
        var start = number % 2 == 0 ? 0 : rules.index(after: .random(in: 0...1000, using: &random))
        // the same chances for both
        var (indexedChance, walkedChance) = (random, random)
        while true {
          let found = indexed.evaluate(
            packet, pass, from: start, counters: &indexedCounters, random: &indexedChance)
          let wanted = walked.evaluate(
            packet, pass, from: start, counters: &walkedCounters, random: &walkedChance)
          let note = "seed \(testSeed), \(ruleCount) rules, round \(round), packet \(number) from \(start)"
          guard found == wanted, indexedCounters == walkedCounters else {
            Issue.record("\(note): \(found), walked \(wanted)")
            return
          }
          decisions.insert("\(found.decision)".split(separator: "(")[0].description)
          guard case .tee = found.decision else { break }
          start = found.next
        }
      }
    }
    #expect(decisions.count == 4)
    #expect(indexedCount * 2 > 3000 / ruleCount)
  }

  /// Rules that each match one packet, by the field they are filed under.
  static let bodies: [(body: @Sendable (Int) -> String, packet: @Sendable (Int) throws -> [UInt8])] = [
    (
      { "ip from 10.0.\($0 / 200).\($0 % 200) to any" },
      { try Sample.udp("10.0.\($0 / 200).\($0 % 200)", 1, "192.0.2.1", 2) }
    ),
    (
      { "ip from any to 10.\($0 / 200).\($0 % 200).0/24" },
      { try Sample.udp("192.0.2.1", 1, "10.\($0 / 200).\($0 % 200).77", 2) }
    ),
    (
      { "ip from { 10.0.0.1 or 2001:db8::\(String($0, radix: 16)) } to any" },
      { try Sample.udp("2001:db8::\(String($0, radix: 16))", 1, "2001:db8:1::1", 2) }
    ),
    (
      { "udp from any to any \($0 * 10)-\($0 * 10 + 6),7" },
      { try Sample.udp("10.0.0.1", 1, "10.0.0.2", UInt16($0 * 10 + 3)) }
    ),
    ({ "tcp from any \($0) to any in" }, { try Sample.tcp("10.0.0.1", UInt16($0), "10.0.0.2", 2) }),
  ]

  @Test(arguments: bodies.indices) func `of a thousand rules the right one is found`(_ field: Int) throws {
    let (body, packet) = Self.bodies[field]
    var rules = RuleSet(default: .allow)
    for number in 1...1000 { try rules.add(Rule("\(number) deny \(body(number))", names: .builtIn)) }
    let resolved = ResolvedRules(ruleSet: rules, host: EvaluatorTests.host)
    #expect(resolved.isIndexed)
    var counters = RuleCounters(for: rules)
    for number in stride(from: 1, through: 1000, by: 37) {
      let bytes = try packet(number)
      let fields = PacketFields(parsing: bytes.rawSpan)
      let found = resolved.evaluate(fields, EvaluatorTests.inEth0, from: 0, counters: &counters)
      #expect(found == Verdict(decision: .deny, ruleNumber: UInt16(number), next: number))
      // a restart behind it finds nothing more
      let after = resolved.evaluate(fields, EvaluatorTests.inEth0, from: number, counters: &counters)
      #expect(after.decision == .allow)
    }
  }

  @Test func `evaluating allocates nothing`() throws {
    var rules = RuleSet(default: .allow)
    for number in 1...1000 {
      let body = Self.bodies[number % Self.bodies.count].body(number)
      try rules.add(Rule("\(number) \(number % 7 == 0 ? "prob 0.5 " : "")count \(body)", names: .builtIn))
    }
    let resolved = ResolvedRules(ruleSet: rules, host: EvaluatorTests.host)
    #expect(resolved.isIndexed)
    let packets = try EvaluatorTests.Sort.allCases.map { sort in
      let bytes = try sort.bytes()
      return PacketFields(parsing: bytes.rawSpan)
    }
    var counters = RuleCounters(for: rules)
    var count: UInt = 0
    for round in 0..<3 {
      for packet in packets {
        let before = allocation_count()
        _ = resolved.evaluate(packet, EvaluatorTests.inEth0, from: round, counters: &counters)
        // what is made once and stays is made in the first round
        if round > 0 { count += allocation_count() - before }
      }
    }
    #expect(count == 0)
    #expect(counters[0].packets == UInt64(3 * packets.count))
  }

  /// A packet that meets more places of the index than there is room for: all rules are tried.
  @Test func `a packet in more places than there is room for`() throws {
    var rules = RuleSet(default: .deny)
    for length in 1...32 { try rules.add(Rule("\(length) count ip from 10.1.2.3/\(length) to any")) }
    let resolved = ResolvedRules(ruleSet: rules, host: EvaluatorTests.host)
    #expect(resolved.isIndexed)
    var counters = RuleCounters(for: rules)
    let bytes = try Sample.udp("10.1.2.3", 1, "10.0.0.2", 2)
    _ = resolved.evaluate(
      PacketFields(parsing: bytes.rawSpan), EvaluatorTests.inEth0, from: 0, counters: &counters)
    #expect(rules.entries.allSatisfy { counters[$0.slot].packets == 1 })
  }
}
