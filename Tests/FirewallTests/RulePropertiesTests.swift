import Firewall
import Packets
import TestSupport
import Testing

/// Properties of parser, printer and evaluator, over random rules.
struct RulePropertiesTests {
  @Test func `what is printed parses, and prints the same again`() throws {
    var printer = RulePrinter(names: .builtIn)
    printer.showsSets = true
    for round in 0..<5000 {
      var random = SeededGenerator(stream: UInt64(round))
      let rule = Self.rule(&random)
      let text = printer.text(rule)
      let note = "seed \(testSeed), round \(round): \(text)"
      let parsed = try #require(try? Rule(text, names: .builtIn), "\(note)")
      #expect(printer.text(parsed) == text, "\(note)")
      // what the parser yields is in the printer's order already
      #expect(try Rule(printer.text(parsed), names: .builtIn) == parsed, "\(note)")
      #expect(parsed.action == rule.action && parsed.comment == rule.comment, "\(note)")
      #expect(parsed.hasFromTo == rule.hasFromTo, "\(note)")
      #expect(parsed.set == rule.set, "\(note)")
      #expect(parsed.probability == rule.probability && parsed.logAmount == rule.logAmount, "\(note)")
      #expect(Self.sorted(parsed.clauses) == Self.sorted(rule.clauses), "\(note)")
    }
  }

  /// Whatever is typed is listed in a form that means the same; and no word of the language is left out here.
  @Test func `what is typed is listed so that it reads back`() {
    var printer = RulePrinter(names: .builtIn)
    printer.showsSets = true
    var typedWords: Set<String> = []
    for round in 0..<10_000 {
      let typed = TypedRule(SeededGenerator(stream: UInt64(round)))
      let note = "seed \(testSeed), round \(round): \(typed.text)"
      var parser = RuleParser(typed.words, names: .builtIn)
      guard var rule = Self.expectNoError(note, { () throws(RuleError) in try parser.rule() }) else {
        continue
      }
      #expect(parser.warnings.isEmpty, "\(note)")
      rule.number = 0
      let listed = printer.text(rule)
      guard
        let again = Self.expectNoError(
          "\(note) is listed as \(listed)", { () throws(RuleError) in try Rule(listed, names: .builtIn) })
      else { continue }
      #expect(again == rule, "\(note) is listed as \(listed)")
      #expect(printer.text(again) == listed, "\(note)")
      typedWords.formUnion(typed.words)
    }
    let known =
      Grammar.actions.entries.filter { $0.meaning != .later }.map(\.word)
      + Grammar.options.entries.filter { $0.meaning != .later }.map(\.word)
      + (Grammar.prefixes.entries + Grammar.logOptions.entries).map(\.word) + ["log"]
    #expect(typedWords.isSuperset(of: known), "\(Set(known).subtracting(typedWords))")
  }

  @Test func `or-blocks and negation are those of logic`() throws {
    for round in 0..<3000 {
      var random = SeededGenerator(stream: UInt64(round))
      let rule = Self.rule(&random)
      let sort = EvaluatorTests.Sort.allCases[Int(random.next() % UInt64(EvaluatorTests.Sort.allCases.count))]
      let bytes = try sort.bytes()
      let packet = PacketFields(parsing: bytes.rawSpan)
      let pass = [EvaluatorTests.inEth0, EvaluatorTests.outEth1, EvaluatorTests.forwarded][
        Int(random.next() % 3)]
      // each term asked alone, in a rule of its own
      let expected = rule.clauses.allSatisfy { clause in
        clause.terms.contains { Self.matches([Clause($0.test)], packet, pass) != $0.negated }
      }
      #expect(
        Self.matches(rule.clauses, packet, pass) == expected,
        "seed \(testSeed), round \(round): \(RulePrinter(names: .builtIn).text(rule)), \(sort)")
    }
  }

  /// Words of the language in any order, and others: an answer or an error, never a trap.
  @Test func `no words are too strange for the parser`() {
    let words =
      Grammar.actions.entries.map(\.word) + Grammar.options.entries.map(\.word) + [
        "from", "to", "any", "me", "ip", "tcp", "6", "10.0.0.1/8", "::1", "80,443", "1-2-3", "-", ",", "/",
        ":",
        "{tcp", "(", "!", "!in", "fro", "", "é", "\u{0}", "10.0.0.0/24{1,2", "eth0", "99999999999999999999",
        "0x", "0x7f000001", "a\\-b", "\\", "n", "o", "1.2.3.4/33", "1.2.3.4:", "::/", "a/b/c", "icmptypes",
        "8,",
      ]
    var accepted = 0
    for round in 0..<30_000 {
      var random = SeededGenerator(stream: UInt64(round))
      var line = (0..<Int.random(in: 0..<12, using: &random)).map { _ in
        words.randomElement(using: &random) ?? ""
      }
      if round % 2 == 0 {
        line = ["allow", "ip", "from", "any", "to", "any"] + line
      }
      var parser = RuleParser(line, names: .builtIn)
      guard let rule = try? parser.rule() else { continue }
      accepted += 1
      let text = RulePrinter(names: .builtIn).text(rule)
      #expect((try? Rule(text, names: .builtIn)) != nil, "seed \(testSeed), round \(round): \(line), \(text)")
    }
    #expect(accepted > 1000)
  }

  private static func expectNoError<Result>(_ note: String, _ body: () throws(RuleError) -> Result) -> Result?
  {
    do throws(RuleError) {
      return try body()
    } catch {
      Issue.record("\(error): \(note)")
      return nil
    }
  }

  static func matches(_ clauses: [Clause], _ packet: PacketFields, _ pass: Pass) -> Bool {
    var rules = RuleSet(default: .deny)
    _ = try? rules.add(Rule(number: 1, action: .allow, clauses: clauses))
    var counters = RuleCounters(for: rules)
    return RuleImage(ruleSet: rules, host: EvaluatorTests.host)
      .evaluate(packet, pass, from: 0, counters: &counters).decision == .allow
  }

  static func sorted(_ clauses: [Clause]) -> [String] { clauses.map { "\($0)" }.sorted() }

  // MARK: Random rules

  static func rule(_ random: inout SeededGenerator) -> Rule {
    let port = UInt16.random(in: 1...65534, using: &random)
    let actions: [Action] = [.allow, .deny, .count, .divert(port: port), .tee(port: port), .skipto(port)]
    let hasFromTo = Bool.random(using: &random)
    // a rule has from and to, or at least one option
    let count = Int.random(in: (hasFromTo ? 0 : 1)...5, using: &random)
    var clauses = (0..<count).map { _ in clause(&random) }
    // `ip4` and `ip6` as the first word of a body are a protocol, which `from` has to follow
    if !hasFromTo, case .version = clauses[0].terms[0].test { clauses[0] = Clause(.direction(.incoming)) }
    var rule = Rule(
      action: actions.randomElement(using: &random) ?? .allow,
      clauses: clauses,
      comment: Int.random(in: 0..<4, using: &random) == 0 ? "why \(port)" : nil, hasFromTo: hasFromTo,
      probability: Int.random(in: 0..<5, using: &random) == 0
        ? .random(in: 1...999_999, using: &random) : nil,
      logAmount: Int.random(in: 0..<5, using: &random) == 0 ? .random(in: 0...3, using: &random) : nil,
      set: .random(in: 0...31, using: &random))
    rule.unifyMe()
    return rule
  }

  private static func clause(_ random: inout SeededGenerator) -> Clause {
    let count = [1, 1, 1, 2, 3].randomElement(using: &random) ?? 1
    return Clause(
      (0..<count).map { _ in
        let test = test(&random)
        // `not in` is `out`
        if case .direction = test { return Term(test: test) }
        return Term(test: test, negated: Int.random(in: 0..<4, using: &random) == 0)
      })
  }

  private static func test(_ random: inout SeededGenerator) -> Firewall.Test {
    switch Int.random(in: 0..<15, using: &random) {
    case 0: .version(Bool.random(using: &random) ? 4 : 6)
    // 41 is listed as `ipv6`, which reads as a version
    case 1: .protocolNumber([1, 6, 17, 47, 58, 132, 136, 200].randomElement(using: &random) ?? 1)
    case 2, 3: .source(address(&random))
    case 4, 5: .destination(address(&random))
    case 6: .sourcePort(ports(&random))
    case 7: .destinationPort(ports(&random))
    case 8: .direction(Bool.random(using: &random) ? .incoming : .outgoing)
    case 9: .received(interface(&random))
    case 10: Bool.random(using: &random) ? .transmitted(interface(&random)) : .via(interface(&random))
    case 11: Bool.random(using: &random) ? .tcpFlags(flags(0x3f, &random)) : .established
    case 12: .fragment(flags(0xe1, &random))
    case 13: .diverted([nil, .incoming, .outgoing].randomElement(using: &random) ?? nil)
    default: .icmpTypes(UInt32.random(in: 1...(.max), using: &random))
    }
  }

  /// At least one of the bits is asked for.
  private static func flags(_ bits: UInt8, _ random: inout SeededGenerator) -> FlagMatch {
    let match = FlagMatch(
      set: .random(in: 0...255, using: &random) & bits, clear: .random(in: 0...255, using: &random) & bits)
    return match == FlagMatch() ? FlagMatch(set: bits & 1, clear: bits & 2) : match
  }

  private static func address(_ random: inout SeededGenerator) -> AddressMatch {
    // addresses of the sample packets, so that some match
    let all4: [UInt32] = [0x0a00_0001, 0x0a01_0203, 0xc000_0209]
    let near4 = all4.randomElement(using: &random) ?? 0
    let near6 = IPv6Address(high: 0x2001_0db8_0000_0000, low: 7)
    switch Int.random(in: 0..<9, using: &random) {
    case 0: return .me
    case 5: return .me6
    case 6:
      let masks: [UInt32] = [~0, 0xff00_ff00, 0xffff_ff00]
      let networks = (0..<Int.random(in: 2...31, using: &random)).map { _ in
        let mask: UInt32 = masks.randomElement(using: &random) ?? ~0
        let address: UInt32 = all4.randomElement(using: &random) ?? 0
        return Network4(IPv4Address(rawValue: address & mask), mask: mask)
      }
      return .networks4(networks)
    case 7:
      let length = Int.random(in: 24...31, using: &random)
      let base = near4 & (~0 << UInt32(32 - length))
      let hosts = (0..<UInt8.random(in: 1...9, using: &random)).map { _ in
        UInt8(truncatingIfNeeded: base) + .random(in: 0...UInt8((1 << (32 - length)) - 1), using: &random)
      }
      return .set4(AddressSet(base: IPv4Address(rawValue: base), prefixLength: length, hosts: Set(hosts)))
    case 8:
      return .networks6([
        Network6(near6, mask: IPv6Address(prefixLength: 128)),
        Network6(IPv6Address(high: 0x2002 << 48, low: 0), mask: IPv6Address(prefixLength: 16)),
      ])
    case 1, 2:
      let masks: [UInt32] = [~0, 0xffff_0000, 0x8000_0000, 0xff00_ff00]
      let mask = masks.randomElement(using: &random) ?? ~0
      return .network4(IPv4Address(rawValue: near4 & mask), mask: mask)
    default:
      let masks = [
        IPv6Address(prefixLength: 128), IPv6Address(prefixLength: 64), IPv6Address(prefixLength: 1),
        IPv6Address(prefixLength: 65), IPv6Address(high: 0xff, low: 0xff),
      ]
      let mask = masks.randomElement(using: &random) ?? near6
      return .network6(IPv6Address(high: near6.high & mask.high, low: near6.low & mask.low), mask: mask)
    }
  }

  private static func ports(_ random: inout SeededGenerator) -> [ClosedRange<UInt16>] {
    (0..<Int.random(in: 1...4, using: &random)).map { _ in
      let low =
        [53, 80, 1234, UInt16.random(in: 0...65535, using: &random)].randomElement(using: &random) ?? 0
      return Bool.random(using: &random) ? low...low : low...UInt16.random(in: low...65535, using: &random)
    }
  }

  private static func interface(_ random: inout SeededGenerator) -> InterfaceMatch {
    let all: [InterfaceMatch] = [
      .name("eth0"), .name("eth1"), .name("nosuch0"), .pattern("eth*"), .pattern("[el]*"),
      .address(EvaluatorTests.address("192.0.2.1")),
    ]
    return all.randomElement(using: &random) ?? .name("eth0")
  }
}
