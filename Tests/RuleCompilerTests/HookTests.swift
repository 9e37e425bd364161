import BPF
import DivertWire
import Firewall
import Packets
import TestSupport
import Testing

@testable import RuleCompiler

/// The hook programs against the evaluator, in this kernel but without any interface (BPF_PROG_TEST_RUN).
struct HookTests {
  @Test func `random rule sets judge random packets as the evaluator does`() throws {
    let seed = testSeed
    var random = SeededGenerator(seed: seed)
    let host = HostView(interfaces: [
      HostView.Interface(
        index: 1, name: "lo", addresses4: [IPv4Address(rawValue: 0x7f00_0001)],
        addresses6: [IPv6Address(high: 0, low: 1)])
    ])
    // One pair of programs for all rule sets, as in divertd.
    let hooks = try HookPair(random.ruleSet(ofMany: 200), host: host)
    var decisions: Set<String> = []
    for round in 0..<120 {
      let ruleSet = round % 8 == 7 ? random.ruleSet(ofMany: 200) : random.ruleSet()
      let ports = RandomPorts(&random)
      try hooks.enforce(ruleSet, host: host, bound: ports.bound, passing: ports.passing)
      let rules = RuleImage(ruleSet: ruleSet, host: host)
      for entry in ruleSet.entries { try hooks.maps.counters.clear(UInt32(entry.slot)) }
      let countsAreCertain = !ruleSet.entries.contains { $0.rule.probability != nil }
      var counters = RuleCounters(for: ruleSet)
      for number in 0..<30 {
        let packet = random.packet()
        let direction: Direction = Bool.random(using: &random) ? .incoming : .outgoing
        let pass = Pass(
          direction: direction, receiveInterface: direction == .incoming ? 1 : 0,
          transmitInterface: direction == .outgoing ? 1 : 0)
        let restart = UInt16.random(in: 0...4, using: &random) == 0 ? random.tag(in: ruleSet) : 0
        let wanted = expected(packet, pass, ruleSet, rules, ports, after: restart, &counters)
        let found = try hooks.judge(packet, direction, after: restart)
        decisions.insert("\(found)".split(separator: "(")[0].description)
        let note =
          "seed \(seed), round \(round), packet \(number) \(packet), restart \(restart), \(pass), \(ports), "
        #expect(wanted.contains(found), "\(note)\(ruleSet.entries)")
        if !wanted.contains(found) { return }
      }
      guard countsAreCertain else { continue }
      for entry in ruleSet.entries {
        let (counted, wanted) = (hooks.counter(slot: entry.slot), counters[entry.slot])
        let isSame = counted.packets == wanted.packets && counted.bytes == wanted.bytes
        #expect(isSame, "seed \(seed), round \(round), \(entry), \(counted), \(wanted), \(ports)")
      }
    }
    #expect(decisions == ["allow", "gone", "diverted"])
  }

  /// What the evaluator may say, in the hook's terms: tee copies nothing here, since nobody has bound any port.
  ///
  /// With `prob` there are several answers: each way in which chance can decide is tried.
  private func expected(
    _ packet: [UInt8], _ pass: Pass, _ ruleSet: RuleSet, _ rules: RuleImage, _ ports: RandomPorts,
    after tag: UInt16, _ counters: inout RuleCounters
  ) -> [HookPair.Outcome] {
    var outcomes: [HookPair.Outcome] = []
    let chances = min(8, ruleSet.entries.count { $0.rule.probability != nil })
    for decisions in UInt64(0)..<(1 << UInt64(chances)) {
      var random = Decisions(bits: decisions)
      let outcome = outcome(packet, pass, ruleSet, rules, ports, after: tag, &random, &counters)
      if !outcomes.contains(outcome) { outcomes.append(outcome) }
    }
    return outcomes
  }

  /// Says yes for each bit that is set, the lowest first.
  struct Decisions: RandomNumberGenerator {
    var bits: UInt64
    mutating func next() -> UInt64 {
      defer { bits >>= 1 }
      return bits & 1 == 1 ? 0 : .max
    }
  }

  private func outcome(
    _ packet: [UInt8], _ pass: Pass, _ ruleSet: RuleSet, _ rules: RuleImage, _ ports: RandomPorts,
    after tag: UInt16, _ random: inout Decisions, _ counters: inout RuleCounters
  ) -> HookPair.Outcome {
    let fields = PacketFields(parsing: packet.span.bytes)
    var next = tag == 0 ? 0 : ruleSet.index(after: tag)
    var pass = pass
    pass.isReinjected = tag != 0
    while true {
      let verdict = rules.evaluate(fields, pass, from: next, counters: &counters, random: &random)
      switch verdict.decision {
      case .allow: return .allow
      case .deny: return .gone
      case .divert(let port):
        if ports.bound.contains(port) { return .diverted(port: port, tag: verdict.ruleNumber) }
        guard ports.passing.contains(port) else { return .gone }
        next = verdict.next
      case .tee:
        next = verdict.next
        pass.isReinjected = false
      }
    }
  }

  @Test(arguments: [UInt16(0), 99, 100, 101, 150, 399, 400, 65534, 65535])
  func `a restart goes to the first rule after the tag`(_ tag: UInt16) throws {
    var ruleSet = RuleSet(default: .allow)
    for number: UInt16 in [100, 100, 200, 300, 400] {
      ruleSet = try ruleSet.adding(Rule(number: number, action: .divert(port: 2000))).0
    }
    let hooks = try HookPair(ruleSet, host: HostView())
    let next = ruleSet.entries[ruleSet.index(after: tag)].rule.number
    let found = try hooks.judge(udp, .incoming, after: tag)
    #expect(found == (next == 65535 ? .allow : .diverted(port: 2000, tag: next)))
  }

  @Test(arguments: [Direction.incoming, .outgoing])
  func `what is diverted to nobody passes where its port's policy says so`(_ direction: Direction) throws {
    var ruleSet = RuleSet(default: .allow)
    for (number, port) in [(UInt16(100), UInt16(2000)), (200, 2001), (300, 2000), (400, 2002)] {
      ruleSet = try ruleSet.adding(Rule(number: number, action: .divert(port: port))).0
    }
    func slot(_ number: UInt16) throws -> Int {
      try #require(ruleSet.entries.first { $0.rule.number == number }).slot
    }
    // Who has bound what, which ports pass; then what becomes of the packet, the rules that count it, and events.
    let rows: [(Set<UInt16>, Set<UInt16>, HookPair.Outcome, counted: [UInt16], UInt64)] = [
      ([], [], .gone, [100], 1),
      ([], [2000], .gone, [100, 200], 2),
      ([], [2000, 2001], .gone, [100, 200, 300, 400], 4),
      ([], [2000, 2001, 2002], .allow, [100, 200, 300, 400, 65535], 4),
      ([2002], [2000, 2001, 2002], .diverted(port: 2002, tag: 400), [100, 200, 300, 400], 3),
      ([2001], [2000], .diverted(port: 2001, tag: 200), [100, 200], 1),
      ([2000], [2000], .diverted(port: 2000, tag: 100), [100], 0),
    ]
    for (bound, passing, outcome, counted, events) in rows {
      let hooks = try HookPair(ruleSet, host: HostView(), bound: bound, passing: passing)
      let found = try hooks.judge(udp, direction, after: 0)
      #expect(found == outcome, "bound \(bound), passing \(passing)")
      for number: UInt16 in [100, 200, 300, 400, 65535] {
        let packets = hooks.counter(slot: try slot(number)).packets
        #expect(packets == (counted.contains(number) ? 1 : 0), "rule \(number), \(bound), \(passing)")
      }
      let noPort = hooks.count(of: .noPort)
      #expect(noPort == events, "bound \(bound), passing \(passing)")
    }
  }

  @Test func `prob takes its share of the packets`() throws {
    for (probability, share) in [(UInt32(500_000), 400...600), (1, 0...5), (999_999, 995...1000)] {
      let rule = Rule(number: 100, action: .deny, probability: probability)
      let hooks = try HookPair(try RuleSet(default: .allow).adding(rule).0, host: HostView())
      let gone = try (0..<1000).count { _ in try hooks.judge(udp, .incoming, after: 0) == .gone }
      #expect(share.contains(gone), "\(probability) millionths: \(gone) of 1000")
    }
  }

  @Test func `100 000 rules are judged in the kernel`() throws {
    var ruleSet = RuleSet(default: .allow)
    for index in 0..<100_000 {
      let source = IPv4Address(rawValue: 0x0a00_0000 + UInt32(index))
      _ = try ruleSet.add(
        Rule(
          number: UInt16(1 + index / 2), action: .deny,
          clauses: [Clause(.protocolNumber(17)), Clause(.source(.network4(source, mask: .max)))]))
    }
    let hooks = try HookPair(ruleSet, host: HostView())
    #expect(try hooks.judge(udp, .incoming, after: 0) == .allow)
    var packet = udp
    for index in [0, 63, 64, 4095, 4096, 65_535, 99_999] {
      packet.replaceSubrange(
        12..<16, with: [10, UInt8(index >> 16), UInt8(index >> 8 & 255), UInt8(index & 255)])
      #expect(try hooks.judge(packet, .incoming, after: 0) == .gone)
      #expect(try hooks.judge(packet, .incoming, after: UInt16(1 + index / 2)) == .allow)
      let slot = try #require(ruleSet.entries.dropFirst(index).first).slot
      #expect(hooks.counter(slot: slot).packets == 1)
    }
  }

  @Test func `without the secret a mark skips nothing`() throws {
    let ruleSet = try RuleSet(default: .allow).adding(Rule(number: 100, action: .deny)).0
    let hooks = try HookPair(ruleSet, host: HostView())
    #expect(try hooks.judge(udp, .incoming, after: 100) == .allow)
    #expect(try hooks.judge(udp, .incoming, after: 100, secret: HookPair.secret ^ 1) == .gone)
  }

  /// 192.0.2.1.1234 > 192.0.2.2.80, four bytes of payload.
  let udp: [UInt8] = [
    0x45, 0, 0, 32, 0, 1, 0, 0, 64, 17, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2,
    0x04, 0xd2, 0, 80, 0, 12, 0, 0, 1, 2, 3, 4,
  ]
}

/// Which divert ports are bound and which pass while they are not.
private struct RandomPorts: CustomStringConvertible {
  let bound: Set<UInt16>
  let passing: Set<UInt16>

  init(_ random: inout SeededGenerator) {
    let ports: Set<UInt16> = [2000, 2001, 2002, 2003]
    bound = ports.filter { _ in UInt8.random(in: 0...3, using: &random) != 0 }
    passing = ports.filter { _ in Bool.random(using: &random) }
  }

  var description: String { "bound \(bound), passing \(passing)" }
}
