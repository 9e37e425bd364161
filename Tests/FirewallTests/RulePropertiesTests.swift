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

  @Test func `what is printed without names reads back as the same rule`() throws {
    var printer = RulePrinter(names: .none)
    printer.showsSets = true
    for round in 0..<3000 {
      let typed = TypedRule(SeededGenerator(stream: UInt64(round)))
      var parser = RuleParser(typed.words, names: .builtIn)
      var rule = try parser.rule()
      rule.number = 0
      let text = printer.text(rule)
      #expect(try Rule(text, names: .none) == rule, "seed \(testSeed), round \(round): \(text)")
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
        let test = random.test(from: pool)
        // `not in` is `out`
        if case .direction = test { return Term(test: test) }
        return Term(test: test, negated: Int.random(in: 0..<4, using: &random) == 0)
      })
  }

  /// Addresses of the sample packets, so that some match. No network of all addresses, which is listed as `any`, and not
  /// protocol 41, which is listed as `ipv6` and reads as a version.
  private static let pool = OperandPool(
    addresses4: [0x0a00_0001, 0x0a01_0203, 0xc000_0209], masks4: [~0, 0xffff_0000, 0x8000_0000, 0xff00_ff00],
    setLengths: 24...31,
    addresses6: [IPv6Address(high: 0x2001_0db8_0000_0000, low: 7), IPv6Address(high: 0x2002 << 48, low: 0)],
    masks6: [128, 64, 1, 65].map { IPv6Address(prefixLength: $0) } + [IPv6Address(high: 0xff, low: 0xff)],
    ports: 0...65535, longestRange: .max,
    interfaces: [
      .name("eth0"), .name("eth1"), .name("nosuch0"), .pattern("eth*"), .pattern("[el]*"),
      .address(EvaluatorTests.address("192.0.2.1")),
    ],
    protocols: [1, 6, 17, 47, 58, 132, 136, 200])
}
