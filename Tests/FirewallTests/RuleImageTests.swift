import AllocationCounter
import Firewall
import Packets
import TestSupport
import Testing

/// The image gives the answers that rules give which are asked one by one.
struct RuleImageTests {
  /// 70 rules and more have vectors of several words, 4500 several groups of them.
  @Test(arguments: [(3, 150), (30, 30), (70, 12), (300, 4), (4500, 1)])
  func `image and oracle agree on verdicts and counters`(_ ruleCount: Int, _ rounds: Int) throws {
    let packets = try EvaluatorTests.Sort.allCases.map { sort in
      let bytes = try sort.bytes()
      return PacketFields(parsing: bytes.rawSpan)
    }
    var decisions: Set<String> = []
    for round in 0..<rounds {
      var random = SeededGenerator(stream: UInt64(round))
      var rules = RuleSet(default: Bool.random(using: &random) ? .allow : .deny)
      for _ in 0..<ruleCount {
        var rule = RulePropertiesTests.rule(&random)
        rule.number = .random(in: 1...1000, using: &random)
        // most rules let a packet go on, so that many are met
        switch Int.random(in: 0..<8, using: &random) {
        case 0: if ruleCount > 300 { rule.action = .count }
        case 1: rule.action = .skipto(.random(in: 1...1100, using: &random))
        case 2: rule.action = .tee(port: 2000)
        default: rule.action = .count
        }
        try rules.add(rule)
      }
      rules.setSets(enabled: 0, disabled: .random(in: 0...(.max), using: &random) & 0x1111_1111)
      let image = RuleImage(ruleSet: rules, host: EvaluatorTests.host)
      let oracle = RuleOracle(rules, host: EvaluatorTests.host)
      var (imageCounters, oracleCounters) = (RuleCounters(for: rules), RuleCounters(for: rules))
      for (number, packet) in packets.enumerated() {
        var pass = [EvaluatorTests.inEth0, EvaluatorTests.outEth1, EvaluatorTests.forwarded][number % 3]
        pass.isReinjected = Bool.random(using: &random)
        var start = number % 2 == 0 ? 0 : rules.index(after: .random(in: 0...1000, using: &random))
        // the same chances for both
        var (imageChance, oracleChance) = (random, random)
        while true {
          let found = image.evaluate(
            packet, pass, from: start, counters: &imageCounters, random: &imageChance)
          let wanted = oracle.evaluate(
            packet, pass, from: start, counters: &oracleCounters, random: &oracleChance)
          let note = "seed \(testSeed), \(ruleCount) rules, round \(round), packet \(number) from \(start)"
          guard found == wanted, imageCounters == oracleCounters else {
            let differ = rules.entries.filter { imageCounters[$0.slot] != oracleCounters[$0.slot] }
              .map { "\(RulePrinter(names: .builtIn).text($0.rule))" }
            Issue.record("\(note): \(found), oracle \(wanted), counted differently: \(differ)")
            return
          }
          decisions.insert("\(found.decision)".split(separator: "(")[0].description)
          guard case .tee = found.decision else { break }
          start = found.next
        }
      }
    }
    #expect(decisions.count > 1)
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
    let resolved = RuleImage(ruleSet: rules, host: EvaluatorTests.host)
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
    let resolved = RuleImage(ruleSet: rules, host: EvaluatorTests.host)
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

  @Test func `a packet in prefixes of all lengths`() throws {
    var rules = RuleSet(default: .deny)
    for length in 1...32 { try rules.add(Rule("\(length) count ip from 10.1.2.3/\(length) to any")) }
    let resolved = RuleImage(ruleSet: rules, host: EvaluatorTests.host)
    var counters = RuleCounters(for: rules)
    let bytes = try Sample.udp("10.1.2.3", 1, "10.0.0.2", 2)
    _ = resolved.evaluate(
      PacketFields(parsing: bytes.rawSpan), EvaluatorTests.inEth0, from: 0, counters: &counters)
    #expect(rules.entries.allSatisfy { counters[$0.slot].packets == 1 })
  }
}
