import Firewall
import Packets
import TestSupport
import Testing

/// Sets of rules (ipfw(8), SETS OF RULES).
struct IpfwSetsTests {
  static let rules = """
    add 100 allow in
    add 200 set 3 deny in
    add 200 set 5 count in
    add 300 set 31 count out
    set disable 5
    """

  static let all = (0...30).map { " \($0)" }.joined()
  static let start = ["00100 set 0", "00200 set 3", "# DISABLED 00200 set 5", "00300 set 31"]

  static let rows: [Row] = [
    Row(["list"], out: "00100 allow in\n00200 deny in\n00300 count out\n65535 allow ip from any to any\n"),
    Row(
      ["-S", "list"],
      out: """
        00100 set 0 allow in
        00200 set 3 deny in
        # DISABLED 00200 set 5 count in
        00300 set 31 count out
        65535 set 31 allow ip from any to any

        """),
    Row(["-S", "show", "200"], out: "00200 0 0 set 3 deny in\n# DISABLED 00200 0 0 set 5 count in\n"),
    Row(["set", "3", "list"], out: "00200 deny in\n"),
    Row(["set", "5", "list"]), Row(["set", "5", "list", "200"]),
    Row(["-S", "set", "5", "list"], out: "# DISABLED 00200 set 5 count in\n"),
    Row(["set", "3", "show", "200"], out: "00200 0 0 deny in\n"),
    Row(["set", "3", "list", "100"], err: "ipfw: rule 100 does not exist\n", 69),
    Row(["set", "31", "list"], out: "00300 count out\n65535 allow ip from any to any\n"),
    Row(
      ["add", "50", "set", "3", "prob", "0.5", "allow", "in"], out: "00050 prob 0.500000 allow in\n",
      left: ["00050 set 3"] + start),
    Row(
      ["-S", "add", "50", "set", "7", "allow", "in"], out: "00050 set 7 allow in\n",
      left: ["00050 set 7"] + start),
    // show, enable, disable
    Row(
      ["set", "show"],
      out: "disable 5 enable\(all.replacing(" 5 ", with: " "))\n"),
    Row(["set", "enable", "5"], left: ["00100 set 0", "00200 set 3", "00200 set 5", "00300 set 31"]),
    Row(
      ["set", "disable", "3", "0", "enable", "5"],
      left: ["# DISABLED 00100 set 0", "# DISABLED 00200 set 3", "00200 set 5", "00300 set 31"]),
    Row(["set", "disable", "31"]), Row(["set", "enable"]), Row(["-n", "set", "disable", "3"]),
    Row(["set", "enable", "3", "disable", "3"], err: "ipfw: cannot enable and disable the same set\n", 65),
    Row(["set", "disable", "32"], err: "ipfw: invalid set number 32\n", 65),
    Row(["set", "disable", "x"], err: "ipfw: invalid set command x\n", 65),
    Row(["set"], err: "ipfw: set needs command\n", 64),
    Row(["set", "frob"], err: "ipfw: invalid set command frob\n", 64),
    Row(
      ["set", "disa", "3"], err: "ipfw: DEPRECATED: 'disa' matched 'disable' as a sub-string\n",
      left: ["00100 set 0", "# DISABLED 00200 set 3", "# DISABLED 00200 set 5", "00300 set 31"]),
    // move and swap
    Row(["set", "move", "3", "to", "9"], left: ["00100 set 0", "00200 set 9", start[2], start[3]]),
    Row(
      ["set", "move", "rule", "200", "to", "0"],
      left: ["00100 set 0", "00200 set 0", "00200 set 0", "00300 set 31"]),
    Row(["set", "move", "rule", "7", "to", "0"]),
    Row(
      ["set", "swap", "3", "5"],
      left: ["00100 set 0", "# DISABLED 00200 set 5", "00200 set 3", "00300 set 31"]),
    Row(["set", "move", "31", "to", "1"], left: ["00100 set 0", start[1], start[2], "00300 set 1"]),
    Row(["set", "move", "3"], err: "ipfw: syntax: set move [rule] X to Y\n", 64),
    Row(["set", "move", "3", "from", "4"], err: "ipfw: syntax: set move [rule] X to Y\n", 64),
    Row(["set", "move", "32", "to", "4"], err: "ipfw: invalid source number 32\n", 65),
    Row(["set", "move", "rule", "65535", "to", "4"], err: "ipfw: invalid source number 65535\n", 65),
    Row(["set", "move", "3", "to", "32"], err: "ipfw: invalid dest. set 32\n", 65),
    Row(["set", "swap", "3"], err: "ipfw: set swap needs 2 set numbers\n", 64),
    Row(["set", "swap", "3", "x"], err: "ipfw: invalid set number x\n", 65),
    // delete, flush, zero
    Row(["delete", "set", "3"], left: [start[0], start[2], start[3]]),
    Row(["delete", "set", "31"], left: [start[0], start[1], start[2]]),
    Row(["delete", "set", "3", "5", "8"], left: [start[0], start[3]]),
    Row(["delete", "set", "8"]), Row(["-n", "delete", "set", "3"]),
    Row(["delete", "set"], err: "ipfw: missing rule specification\n", 64),
    Row(["delete", "set", "32"], err: "ipfw: invalid set number 32\n", 65),
    Row(["set", "3", "delete", "set", "5"], err: "ipfw: invalid syntax\n", 65),
    Row(["delete", "200"], left: [start[0], start[3]]),
    Row(["delete", "300"], left: [start[0], start[1], start[2]]),
    Row(["delete", "0"], left: [start[3]]),
    Row(["set", "5", "delete", "200"], left: [start[0], start[1], start[3]]),
    Row(["set", "5", "delete", "100"], err: "ipfw: rule 100 not found\n", 69),
    Row(["set", "5", "delete", "0"], left: [start[0], start[1], start[3]]),
    Row(["-f", "flush"], out: "Flushed all rules.\n", left: [start[3]]),
    Row(["-f", "set", "3", "flush"], out: "Flushed all rules.\n", left: [start[0], start[2], start[3]]),
    Row(["-f", "set", "31", "flush"], out: "Flushed all rules.\n", left: [start[0], start[1], start[2]]),
    Row(["set", "3", "zero", "200"], out: "Entry 200 cleared.\n"),
    Row(["set", "3", "zero", "100"], out: "Entry 100 not found\n", 69),
    Row(["set", "3", "resetlog", "200"], out: "Entry 200 logging count reset.\n"),
    Row(["set", "3", "resetlog", "100"], out: "Entry 100 not found\n", 69),
    // what does not go with a set
    Row(["set", "3", "add", "allow", "in"], err: "ipfw: bad command `add'\n", 64),
    Row(["set", "3", "set", "show"], err: "ipfw: bad command `set'\n", 64),
    Row(["set", "32", "list"], err: "ipfw: invalid set number 32\n", 65),
    Row(["set", "3x", "list"], err: "ipfw: invalid set number 3x\n", 65),
    Row(["set", "3"], err: "ipfw: usage: ipfw [options]\ndo \"ipfw -h\" or \"man ipfw\" for details\n", 64),
    Row(["set", "3", "table", "1", "list"], err: "ipfw: not supported yet: table\n", 69),
  ]

  @Test(arguments: rows) func `a command about sets prints and ends as ipfw does`(_ row: Row) throws {
    var backend = DetachedRules(
      try RuleFile.load(text: Self.rules, into: RuleSet(default: .allow), names: .builtIn))
    let result: CommandResult
    do throws(RuleError) {
      result = try IpfwInvocation(row.words).execute(on: &backend, names: .builtIn)
    } catch {
      result = CommandResult(error)
    }
    #expect(result == row.result, sourceLocation: row.line)
    let left = backend.ruleSet.entries.dropLast().map { entry in
      (backend.ruleSet.isEnabled(entry.rule) ? "" : "# DISABLED ")
        + "\(String(repeating: "0", count: 5 - String(entry.rule.number).count))\(entry.rule.number)"
        + " set \(entry.rule.set)"
    }
    #expect(left == row.left, sourceLocation: row.line)
  }

  @Test func `the rules of a disabled set are skipped, and a moved rule keeps its slot`() throws {
    var rules = try RuleFile.load(text: Self.rules, into: RuleSet(default: .allow), names: .builtIn)
    let bytes = try EvaluatorTests.Sort.tcp.bytes()
    let slots = rules.entries.map(\.slot)
    rules.delete(100...100)
    for (disabled, decision) in [(UInt32(0), Verdict.Decision.deny), (1 << 3, .allow), (1 << 31, .deny)] {
      rules.setSets(enabled: .max, disabled: disabled)
      var counters = RuleCounters(for: rules)
      let verdict = RuleImage(ruleSet: rules, host: EvaluatorTests.host)
        .evaluate(
          PacketFields(parsing: bytes.rawSpan), EvaluatorTests.inEth0, from: 0, counters: &counters)
      #expect(verdict.decision == decision)
    }
    rules.moveRules { _ in 9 }
    #expect(rules.entries.map(\.slot) == Array(slots.dropFirst()))
    #expect(rules.entries.map(\.rule.set) == [9, 9, 9, 31])
  }

  struct Row: Sendable, CustomTestStringConvertible {
    let words: [String], result: CommandResult, left: [String], line: SourceLocation
    init(
      _ words: [String], out: String = "", err: String = "", _ status: Int32 = 0, left: [String] = start,
      line: SourceLocation = #_sourceLocation
    ) {
      (self.words, self.left, self.line) = (words, left, line)
      result = CommandResult(output: out, errors: err, status: status)
    }
    var testDescription: String { words.joined(separator: " ") }
  }
}
