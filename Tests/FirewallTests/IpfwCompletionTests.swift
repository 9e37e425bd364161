import Firewall
import TestSupport
import Testing

struct IpfwCompletionTests {
  static let body = ["add", "allow", "ip", "from", "any", "to", "any"]

  /// Every word that the parser knows is offered somewhere; those that it will know later are not.
  @Test func `each word of the parser's tables is offered`() {
    func expect<Meaning>(
      _ table: Keywords<Meaning>, later: Meaning?, after words: [String], but hidden: Set<String> = []
    ) {
      let candidates = Set(IpfwCompletion.candidates(after: words))
      for (word, meaning) in table.entries where !hidden.contains(word) {
        #expect(candidates.contains(word) == (meaning != later), "\(words) \(word)")
      }
    }
    expect(Grammar.actions, later: .later, after: ["add"])
    expect(Grammar.prefixes, later: .later, after: ["-q", "add", "100"])
    expect(Grammar.modifiers, later: .later, after: ["add", "divert", "2000"])
    expect(Grammar.logOptions, later: .later, after: ["add", "allow", "log"])
    // what a shell would take for itself
    expect(Grammar.options, later: .later, after: Self.body, but: ["(", ")", "|"])
    expect(Grammar.options, later: .later, after: ["add", "allow"], but: ["(", ")", "|"])
    expect(Grammar.tcpFlags, later: nil, after: Self.body + ["tcpflags"])
    expect(Grammar.fragmentFlags, later: nil, after: Self.body + ["in", "frag"])
  }

  @Test func `what is offered works`() {
    for action in IpfwCompletion.candidates(after: ["add"]) {
      #expect(message("\(action) 5") != "not supported yet: \(action)")
    }
    for option in IpfwCompletion.candidates(after: Self.body) {
      #expect(message("allow ip from any to any \(option)")?.contains("not supported") != true)
      #expect(message("allow ip from any to any \(option)")?.contains("unrecognised") != true)
    }
    for command in IpfwCompletion.candidates(after: []) where !command.hasPrefix("-") {
      var backend = DetachedRules(RuleSet(default: .allow))
      let result = try? IpfwInvocation([command, "show"]).execute(on: &backend)
      #expect(result?.errors.contains("not supported") == false, "\(command)")
      #expect(result?.errors.contains("bad command") == false, "\(command)")
    }
    for flag in IpfwCompletion.candidates(after: []) where flag.hasPrefix("-") {
      let words = flag == "-p" ? [flag, "cat", "/rules"] : [flag, "list"]
      #expect(throws: Never.self, "\(flag)") { try IpfwInvocation(arguments: words) }
    }
  }

  @Test func `no words are too strange to go on from`() {
    let words =
      ["add", "set", "delete", "-q", "100", "from", "to", "any", "web", "80", "natd", "", "é", "move", "tcp"]
      + Grammar.options.entries.map(\.word) + Grammar.actions.entries.map(\.word) + [
        "prob", "log", "logamount",
      ]
    var offers = 0
    for round in 0..<20_000 {
      var random = SeededGenerator(stream: UInt64(round))
      let typed = (0..<Int.random(in: 0..<9, using: &random)).map { _ in
        words.randomElement(using: &random) ?? ""
      }
      let candidates = IpfwCompletion.candidates(after: (round % 2 == 0 ? ["add"] : []) + typed)
      if !candidates.isEmpty { offers += 1 }
      #expect(!candidates.contains(""), "seed \(testSeed), round \(round): \(typed)")
    }
    #expect(offers > 1000)
  }

  private func message(_ rule: String) -> String? {
    do throws(RuleError) {
      _ = try Rule(rule, names: .builtIn)
      return nil
    } catch {
      return error.text
    }
  }

  static let rows: [(typed: String, some: [String], none: [String])] = [
    ("", ["add", "list", "resetlog", "--atomic", "-q"], ["table", "allow"]),
    ("-q -f", ["add", "flush"], ["allow"]),
    ("add 100", ["set", "prob", "allow", "//"], ["list", "reset"]),
    ("add set", [], ["allow"]), ("add set 3", ["prob", "deny"], ["set"]),
    ("add divert", ["natd"], ["ip"]), ("add skipto", [], ["ip"]),
    ("add skipto 500", ["ip", "log", "in"], ["from"]),
    ("add allow log", ["logamount", "ip", "src-ip"], ["log"]), ("add allow log logamount", [], ["ip"]),
    ("add allow log logamount 5", ["tcp"], ["log", "logamount"]),
    ("add allow tcp", ["from", "or"], ["to", "in"]), ("add allow {", ["tcp", "src-ip"], ["from"]),
    ("add allow { tcp or", ["udp"], ["from"]), ("add allow 17", ["from"], []),
    ("add allow in", ["recv"], ["from"]),
    ("add allow tcp from", ["any", "me", "not", "{"], ["to"]),
    ("add allow tcp from any", ["to"], ["any", "in"]),
    ("add allow tcp from any 80", ["to"], ["in"]), ("add allow tcp from any to", ["me6"], ["in"]),
    ("add allow tcp from any to me", ["in", "established", "//"], ["from", "to"]),
    ("add allow tcp from any to me via", ["eth7", "any"], ["in"]), ("add allow proto", ["udp"], ["in"]),
    ("add allow in // to", [], ["any", "in"]),
    ("set", ["show", "swap", "enable"], ["add"]),
    ("set 3", ["list", "resetlog", "flush"], ["add", "set", "table"]),
    ("set move", ["rule"], ["to"]), ("set move rule 5", ["to"], []), ("set disable 3", ["enable"], []),
    ("delete", ["set"], ["add"]), ("list", [], ["add"]),
  ]

  @Test(arguments: rows) func `words are offered where they fit`(
    row: (typed: String, some: [String], none: [String])
  ) {
    let words = row.typed.split(separator: " ").map(String.init)
    let candidates = IpfwCompletion.candidates(after: words, interfaces: ["eth7"])
    #expect(Set(candidates).isSuperset(of: row.some), "\(candidates)")
    #expect(Set(candidates).isDisjoint(with: row.none), "\(candidates)")
    #expect(Set(candidates).count == candidates.count)
    if row.some.isEmpty { #expect(candidates.isEmpty) }
  }
}
