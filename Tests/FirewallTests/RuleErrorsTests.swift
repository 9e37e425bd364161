import Firewall
import TestSupport
import Testing

/// Every message of FreeBSD's ipfw that the language so far can give, with its exit status.
struct RuleErrorsTests {
  @Test(arguments: RuleRefusal.all) func `a wrong rule is refused in ipfw's words`(_ row: RuleRefusal) {
    #expect(throws: row.error, sourceLocation: row.line) { try Rule(row.text, names: .builtIn) }
  }

  /// Neither silence nor another rule.
  @Test func `every word of ipfw(8) that is not there yet says so, wherever it stands`() {
    for row in RuleRefusal.notYet {
      #expect(throws: row.error, "\(row.text)") { try Rule(row.text, names: .builtIn) }
    }
  }

  @Test func `every word of the grammar that is not there yet says so`() {
    func expect(_ rule: String, _ word: String) {
      #expect(throws: RuleError("not supported yet: \(word)", .unavailable), "\(rule)") {
        try Rule(rule, names: .builtIn)
      }
    }
    for (word, meaning) in Grammar.actions.entries where meaning == .later {
      expect("\(word) 1 ip from any to any", word)
      expect(word, word)
    }
    for (word, meaning) in Grammar.modifiers.entries where meaning == .later {
      expect("allow log \(word) 1 in", word)
    }
    for (word, meaning) in Grammar.options.entries where meaning == .later {
      expect("allow ip from any to any \(word) 1", word)
      expect("allow \(word)", word)
      expect("allow { in or not \(word) 1 }", word)
    }
    for command in [
      "table", "enable", "disable", "nat", "pipe", "queue", "sched", "flowset", "nptv6", "nat64lsn",
      "nat64stl", "nat64clat",
      "internal",
    ] {
      #expect(throws: RuleError("not supported yet: \(command)", .unavailable)) {
        var backend = DetachedRules(RuleSet(default: .allow))
        let result = try IpfwInvocation([command, "1", "show"]).execute(on: &backend)
        throw RuleError(
          String(result.errors.dropFirst(6).dropLast()), RuleError.Status(rawValue: result.status) ?? .usage)
      }
    }
  }

  @Test(arguments: [
    ("allow tcp from any 080 to any", ["port list: invalid separator <8> in <080>"]),
    ("allow tcp from any 0x to any", ["port list: invalid separator <x> in <0x>"]),
    ("allow dst-port 0x5g", ["port list: invalid separator <g> in <0x5g>"]),
    ("allow tcp from any 80;81 to any", ["port list: invalid separator <;> in <80;81>"]),
    (
      "allow tcp fro a to any",
      [
        "DEPRECATED: 'fro' matched 'from' as a sub-string", "DEPRECATED: 'a' matched 'any' as a sub-string",
      ]
    ),
    (
      "skipto t in", ["DEPRECATED: 't' matched 'tablearg' as a sub-string"]
    ),
    ("allow tcp from any to any in", []),
  ])
  func `warnings are given also where the rule is refused`(text: String, warnings: [String]) {
    var parser = RuleParser(text.split(separator: " ").map(String.init), names: .builtIn)
    let rule = try? parser.rule()
    #expect(parser.warnings == warnings)
    if warnings.contains(where: { $0.hasPrefix("port list") }) { #expect(rule == nil) }
  }

  @Test func `words with blanks inside do not spoil the listing`() throws {
    var parser = RuleParser(["allow", "in", "//", "two  words\n65535", ""], names: .builtIn)
    #expect(try parser.rule().comment == "two words 65535")
    for name in ["", "a b", "eth0\n00001 allow"] {
      #expect(throws: RuleError("invalid interface name ``\(name)''", .badData)) {
        var parser = RuleParser(["allow", "recv", name], names: .builtIn)
        _ = try parser.rule()
      }
    }
  }

  @Test func `as many ports as ipfw has room for, and as long a comment`() throws {
    let ports = (1...62).map(String.init).joined(separator: ",")
    let comment = String(repeating: "x", count: 83)
    let text = "allow ip from any to any \(ports) // \(comment)"
    #expect(RulePrinter(names: .builtIn).text(try Rule(text, names: .builtIn)) == text)
  }
}
