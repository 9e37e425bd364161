import DivertEngine
import Firewall
import Packets
import TestSupport
import Testing

/// Every row of the table of options holds what it promises: adding an option means adding what these tests ask for.
struct OptionTableTests {
  static let example = "allow ip from any to any"

  @Test(arguments: RuleOption.allCases) func `an option has its row, its words and an example`(
    _ option: RuleOption
  ) throws {
    let row = option.row
    #expect(row.option == option && !row.words.isEmpty && !row.documentation.isEmpty)
    #expect(row.words.contains { row.example.split(separator: " ").first == $0[...] })
    for word in row.words {
      let operand = row.example.split(separator: " ").dropFirst().joined(separator: " ")
      let rule = try Rule("\(Self.example) \(word) \(operand)", names: .builtIn)
      let test = try #require(rule.clauses.first?.terms.first?.test)
      #expect(rule.clauses.count == 1 && test.option == option)
    }
  }

  /// A rule of one option alone, met by packets of the verdict tables: some match, others do not.
  @Test(arguments: RuleOption.allCases) func `an option's example matches some packets, and others not`(
    _ option: RuleOption
  ) throws {
    let outcomes = try Self.packets.map {
      try Self.matches(Rule("\(Self.example) \(option.row.example)", names: .builtIn), $0)
    }
    #expect(outcomes.contains(true) && outcomes.contains(false))
  }

  /// Lines of the verdict tables, which evaluator and hooks have to pass: one in which a rule with the option matches, and
  /// one in which it does not.
  @Test(arguments: RuleOption.allCases) func `an option has verdicts`(_ option: RuleOption) throws {
    var outcomes: Set<Bool> = []
    for row in VerdictCase.all where !row.rules.contains(";") {
      guard let entry = try row.ruleSet().entries.first else { continue }
      let isAsked = entry.rule.clauses.contains { clause in
        clause.terms.count == 1 && clause.terms[0].test.option == option && !clause.terms[0].negated
      }
      if isAsked { outcomes.insert(row.verdict.hasPrefix("\(entry.rule.number) ")) }
    }
    #expect(outcomes == [true, false])
  }

  @Test(arguments: RuleOption.allCases) func `an option is false of packets that it does not apply to`(
    _ option: RuleOption
  ) throws {
    var random = SeededGenerator(stream: UInt64(option.rawValue))
    let pool = OperandPool(
      addresses4: [0xc000_0201, 0xc000_0202, 0x0a00_0001], masks4: [.max, 0xffff_ff00, 0],
      setLengths: 24...31,
      addresses6: [IPv6Address(high: 0x2001_0db8_0000_0000, low: 1)],
      masks6: [128, 64, 0].map { IPv6Address(prefixLength: $0) }, ports: 0...100, longestRange: .max,
      interfaces: [.name("em0"), .pattern("*")], protocols: [6, 17])
    var applied = 0
    for round in 0..<5 {
      let test = random.test(option, from: pool)
      for row in Self.packets {
        let packet = PacketFields(parsing: PacketText(row.packet).bytes.rawSpan)
        if Self.applies(option.row.applicability, packet, VerdictPass(row.pass).pass) {
          applied += 1
        } else {
          let rule = Rule(number: 100, action: .allow, clauses: [Clause(test)])
          #expect(
            try !Self.matches(rule, row), "seed \(testSeed), round \(round): \(test), \(row)")
        }
      }
    }
    #expect(applied > 0)
  }

  @Test(arguments: ActionKind.allCases) func `an action has its row, its words and an example`(
    _ kind: ActionKind
  ) throws {
    let row = kind.row
    #expect(row.kind == kind && !row.words.isEmpty && !row.documentation.isEmpty)
    for word in row.words {
      let argument = row.example.split(separator: " ").dropFirst().joined(separator: " ")
      #expect(try Rule("\(word) \(argument) in", names: .builtIn).action.kind == kind)
    }
    #expect(VerdictCase.all.contains { $0.verdict.contains(" \(row.words[0])") })
  }

  /// What the table says that actions do is what they do.
  @Test(arguments: ActionKind.allCases) func `an action has its effect`(_ kind: ActionKind) throws {
    let row = VerdictCase(
      title: "", rules: "100 \(kind.row.example) in ; 200 count in ; 600 allow in",
      packet: "udp 192.0.2.1:5 > 192.0.2.2:7", pass: "in em0", verdict: "")
    let counted = Self.judge(row, try row.ruleSet())
    switch kind.effect {
    case .end: #expect(counted == [100])
    case .continue: #expect(counted == [100, 200, 600])
    case .jump: #expect(counted == [100, 600])
    }
  }

  // MARK: Packets

  /// Of each packet and pass in the tables one.
  private static let packets: [VerdictCase] = {
    var seen: Set<String> = []
    return VerdictCase.all.filter { seen.insert("\($0.packet) \($0.pass)").inserted }
  }()

  private static func matches(_ rule: Rule, _ row: VerdictCase) throws -> Bool {
    var ruleSet = RuleSet(default: .deny)
    var rule = rule
    rule.number = 100
    try ruleSet.add(rule)
    return judge(row, ruleSet) == [100]
  }

  /// The rules that counted the packet.
  private static func judge(_ row: VerdictCase, _ ruleSet: RuleSet) -> [UInt16] {
    let place = VerdictPass(row.pass)
    var engine = DivertEngine(ruleSet: ruleSet, view: place.view)
    engine.waitsForFragments = false
    var sink = RecordingSink(bound: [2000])
    _ = engine.judge(PacketText(row.packet).bytes.rawSpan, place.pass, from: 0, to: &sink)
    return ruleSet.entries.filter { engine.ruleCounters[$0.slot].packets > 0 }.map(\.rule.number)
  }

  private static func applies(_ applicability: Applicability, _ packet: PacketFields, _ pass: Pass) -> Bool {
    let hasTransport =
      switch applicability.transport {
      case .any: true
      case .ports: packet.hasPorts
      case .tcp: packet.hasPorts && packet.protocolNumber == 6
      case .icmp: packet.hasICMPType && packet.protocolNumber == 1
      }
    return packet.isReadable && hasTransport
      && (applicability.version == nil || applicability.version == packet.version)
      && (applicability.direction == nil || applicability.direction == pass.direction)
  }
}
