import Firewall
import Foundation
import Namespaces
import TestSupport
import Testing

/// The program itself, where it needs no divertd: streams and exit statuses (ipfw(8), sysexits(3)).
struct IpfwProgramTests {
  static let usage = "ipfw: usage: ipfw [options]\ndo \"ipfw -h\" or \"man ipfw\" for details\n"

  static let rows: [Row] = [
    // one line in, one line out
    Row(
      "ipfw -n add 100 divert natd log ip from any to any in",
      out: "00100 divert 8668 log ip from any to any in\n"),
    Row(
      "ipfw '-n add allow tcp from any to me 80, 443 # the web'",
      out: "00000 allow tcp from any to me 80,443\n"),
    Row(
      "ipfw -nS add 7 set 3 prob 0.25 deny src-ip6 ::1/64",
      out: "00007 set 3 prob 0.250000 deny src-ip6 ::/64\n"),
    Row(
      "ipfw -nN add count tcp from any to any 80 // text",
      out: "00000 count tcp from any to any http // text\n"),
    Row("ipfw -nc add count ip from any to any frag", out: "00000 count frag offset\n"),
    Row("ipfw -nb add count ip from any to any", out: "00000 count // ...\n"),
    Row("ipfw -nq add count in"),
    Row(
      "ipfw -n ad 7 deny ip fr any to any", out: "00007 deny ip from any to any\n",
      err: """
        ipfw: DEPRECATED: 'ad' matched 'add' as a sub-string
        ipfw: DEPRECATED: 'fr' matched 'from' as a sub-string

        """),
    Row("ipfw -n add allow ip from localhost to any", out: "00000 allow ip from 127.0.0.1 to any\n"),
    // errors of each status; all of a rule's are below
    Row("ipfw", err: usage, 64), Row("ipfw ''", err: usage, 64),
    Row("ipfw -x", err: "ipfw: illegal option -- x\n\(usage)", 64),
    Row("ipfw -n frob", err: "ipfw: bad command `frob'\n", 64),
    Row("ipfw -n add tcp", err: "ipfw: invalid action tcp\n", 65),
    Row("ipfw -n add allow tcp from any", err: "ipfw: missing ``to''\n", 64),
    Row("ipfw -n add allow ip from 10.0.0.256 to any", err: "ipfw: hostname ``10.0.0.256'' unknown\n", 68),
    Row("ipfw -n add 100x", err: "ipfw: invalid rule number: 100x\n", 64),
    Row("ipfw -n add allow ip from '!10.0.0.1' to any", err: "ipfw: hostname ``!10.0.0.1'' unknown\n", 68),
    // also where no divertd runs
    Row("DIVERT_SOCKET=/nowhere ipfw frob", err: "ipfw: bad command `frob'\n", 64),
    Row("DIVERT_SOCKET=/nowhere ipfw add", err: "ipfw: missing action\n", 64),
    Row("DIVERT_SOCKET=/nowhere ipfw nat show", err: "ipfw: not supported yet: nat\n", 69),
    Row(
      "DIVERT_SOCKET=/nowhere ipfw add allow ip from any",
      err: "ipfw: missing ``to''\n", 64),
    Row(
      "DIVERT_SOCKET=/nowhere ipfw add allow in",
      err: "ipfw: reach divertd at /nowhere: No such file or directory; "
        + "start divertd, or say with DIVERT_SOCKET or --socket where it listens\n", 69),
    Row("ipfw -n delete 7", err: "ipfw: rule 7 not found\n"),
    Row("ipfw -n zero 7", out: "Entry 7 not found\n", 69),
    Row("ipfw -n add 65535 allow in", out: "65535 allow in\n"),
    Row("ipfw -n list", err: "Testing only, list disabled\n"),
    // not yet: said, never silence, never another rule
    Row("ipfw -n table 1 add 10.0.0.1", err: "ipfw: not supported yet: table\n", 69),
    Row("ipfw -n add reset tcp from any to any", err: "ipfw: not supported yet: reset\n", 69),
    Row("ipfw -n add check-state", err: "ipfw: not supported yet: check-state\n", 69),
    Row("ipfw -n add allow tcp from any to any keep-state", err: "ipfw: not supported yet: keep-state\n", 69),
    Row("ipfw -n nat 1 config ip 10.0.0.1", err: "ipfw: not supported yet: nat\n", 69),
    // files
    Row("ipfw -n $PWD/rules", out: "00010 allow in\n00000 deny udp from any to any 53\n"),
    Row("ipfw -nq $PWD/rules"),
    Row("ipfw -n --atomic $PWD/rules", out: "00010 allow in\n00000 deny udp from any to any 53\n"),
    Row("ipfw -n /dev/stdin <rules", out: "00010 allow in\n00000 deny udp from any to any 53\n"),
    Row("echo add allow in | ipfw -n /dev/stdin", out: "00000 allow in\n"),
    Row("ipfw -n $PWD/wrong", out: "00010 allow in\n", err: "Line 3: invalid action alow\n", 65),
    Row("ipfw -n --atomic $PWD/wrong", err: "Line 3: invalid action alow\n", 65),
    Row("ipfw -n /nowhere", err: "ipfw: pathname: /nowhere: No such file or directory\n", 64),
    Row(
      "ipfw -n add allow in // see /nowhere", err: "ipfw: pathname: /nowhere: No such file or directory\n", 64
    ),
    Row("ipfw -n add allow in /dev/null", err: "ipfw: extraneous filename arguments /dev/null\n", 64),
    Row("ipfw -na /dev/null", err: "ipfw: bad arguments, for usage summary ``ipfw''\n", 64),
    Row("ipfw -n /dev/null"),
    Row("ipfw -n /", err: "ipfw: pathname: /: Is a directory\n", 64),
    Row(
      "printf 'add 1 deny in\\r\\n\\r\\nadd 2 deny out' | ipfw -n /dev/stdin",
      out: "00001 deny in\n00002 deny out\n"),
    Row(
      "printf '\\0\\1\\377' | ipfw -n /dev/stdin", err: "Line 1: bad command `\u{fffd}\u{fffd}\u{fffd}'\n", 64
    ),
    Row("printf '\\357\\273\\277add 1 deny in\\n' | ipfw -n /dev/stdin", out: "00001 deny in\n"),
    // preprocessors
    Row("ipfw -n -p sed -e s/10/20/ $PWD/rules", out: "00020 allow in\n00000 deny udp from any to any 53\n"),
    Row("ipfw -nqp sed -e s/allow/alow/ $PWD/rules", err: "Line 2: invalid action alow\n", 65),
    Row("ipfw -n -p sh -c 'cat; exit 3' $PWD/rules", err: "ipfw: preprocessor exited with status 3\n", 69),
    Row("ipfw -n -p sh -c 'kill -9 $$' $PWD/rules", err: "ipfw: preprocessor exited with signal 9\n", 69),
    Row(
      "ipfw -n -p /nowhere/m4 $PWD/rules",
      err: "ipfw: start /nowhere/m4: No such file or directory; is the preprocessor installed?\n", 69),
    Row("ipfw -n -p cat /nowhere", err: "ipfw: pathname: /nowhere: No such file or directory\n", 64),
    Row("ipfw -n -p cat list", err: "ipfw: An absolute pathname must be used with -p option.\n", 64),
    Row("ipfw -n -p /dev/null", err: "ipfw: no filename argument\n", 64),
    // about itself
    Row("ipfw --version", out: "ipfw (Divert) \(divertVersion)\n"),
    Row("ipfw -h", out: IpfwFlags.help), Row("ipfw --help", out: IpfwFlags.help),
  ]

  @Test(arguments: rows) func `the program prints and ends as ipfw does`(_ row: Row) throws {
    let directory = try ScratchDirectory(named: "ipfw-test")
    try "# rules\nadd 10 allow in\n\nadd deny udp from any to any 53\n".write(
      toFile: directory.path + "/rules", atomically: false, encoding: .utf8)
    try "add 10 allow in\n\nadd alow in\nadd deny in\n".write(
      toFile: directory.path + "/wrong", atomically: false, encoding: .utf8)
    let script = "cd '\(directory.path)' && ipfw() { '\(Programs.path("ipfw"))' \"$@\"; } && \(row.line)"
    let result = try LeashedProcess(["sh", "-c", script]).result(within: .seconds(60))
    #expect(result.output == row.out, sourceLocation: row.location)
    #expect(result.errors == row.err, sourceLocation: row.location)
    #expect(result.status == row.status, sourceLocation: row.location)
  }

  @Test(arguments: RuleListing.all) func `a rule is echoed in its normal form`(_ row: RuleListing) throws {
    let result = try Self.add(row.typed)
    #expect(result.output == "00000 \(row.listed)\n", sourceLocation: row.line)
    #expect(result.errors == "" && result.status == 0, sourceLocation: row.line)
  }

  /// But for names of hosts, for which a name server would be asked, and what ends with the name of a file.
  @Test(
    arguments: RuleRefusal.all.filter { $0.error.status != .unknownHost && !$0.text.hasSuffix(" //text") })
  func `a wrong rule is refused`(_ row: RuleRefusal) throws {
    let result = try Self.add(row.text)
    #expect(result.output == "", sourceLocation: row.line)
    #expect(result.errors == "ipfw: \(row.error.text)\n", sourceLocation: row.line)
    #expect(result.status == row.error.status.rawValue, sourceLocation: row.line)
  }

  @Test func `every word that is not there yet says so`() throws {
    let rows = Dictionary(RuleRefusal.notYet.map { ($0.error.text, $0.text) }) { first, _ in first }
    for (message, rule) in rows {
      let result = try Self.add(rule)
      #expect(result.output == "" && result.errors == "ipfw: \(message)\n" && result.status == 69, "\(rule)")
    }
  }

  private static func add(_ rule: String) throws -> ProcessResult {
    try LeashedProcess([Programs.path("ipfw"), "-n", "add"] + rule.split(separator: " ").map(String.init))
      .result(within: .seconds(60))
  }

  @Test func `a flush at a terminal asks, and takes a line that begins with n for no`() throws {
    let program = try TerminalProcess(
      Programs.path("ipfw"), ["ipfw", "flush"], variables: ["DIVERT_SOCKET=/nowhere"])
    try program.answer("Are you sure? [yn] ", with: "what\n\nNo\n")
    let end = program.end()
    #expect(end.printed == "Are you sure? [yn] \n")
    #expect(end.status == 0)
  }

  @Test func `the end of input is no answer, and so no flush`() throws {
    let program = try TerminalProcess(
      Programs.path("ipfw"), ["ipfw", "flush"], variables: ["DIVERT_SOCKET=/nowhere"])
    try program.answer("Are you sure? [yn] ", with: "\u{4}")
    let end = program.end()
    #expect(end.printed == "Are you sure? [yn] ")
    #expect(end.status == 0)
  }

  @Test(arguments: [["-f", "flush"], ["-q", "flush"], ["-n", "flush"], ["list"]])
  func `nothing is asked where nothing has to be`(words: [String]) throws {
    let program = try TerminalProcess(
      Programs.path("ipfw"), ["ipfw"] + words, variables: ["DIVERT_SOCKET=/nowhere"])
    #expect(!program.end().printed.contains("Are you sure?"))
  }

  @Test func `at a terminal a missing rule is a failure`() throws {
    let program = try TerminalProcess(Programs.path("ipfw"), ["ipfw", "-n", "delete", "1", "2-3"])
    let end = program.end()
    #expect(end.printed == "ipfw: rule 1 not found\nipfw: no rules rules in 2-3 range\n")
    #expect(end.status == 69)
  }

  static let pointers: [(words: String, marks: String)] = [
    ("add 100 allow tcp from any tp me", "                           ^^"),
    ("add 100 allow tcp from any", "                           ^"),
    ("add allow ip from any to any { in or }", "                                     ^"),
    ("add alow in", "    ^^^^"),
    ("add allow ip from { me or not not any } to any", "                              ^^^"),
    ("add set 32 allow in", "        ^^"), ("add 7 divert 0 in", "             ^"),
    ("add allow {frob or tcp } from any to any", "          ^^^^^"),
    ("add allow in // \(String(repeating: "x", count: 84))", ""),
  ]

  @Test(arguments: pointers) func `at a terminal the wrong word is marked`(words: String, marks: String)
    throws
  {
    let program = try TerminalProcess(
      Programs.path("ipfw"), ["ipfw", "-n"] + words.split(separator: " ").map(String.init))
    let lines = program.end().printed.split(separator: "\n").map(String.init)
    #expect(lines.count == 3 && lines.first?.hasPrefix("ipfw: ") == true)
    if marks.isEmpty { return #expect(lines.allSatisfy { $0.count < 80 }) }
    #expect(lines.dropFirst() == ["  \(words)", "  \(marks)"])
  }

  @Test func `the wrong line of a file is shown at a terminal`() throws {
    let directory = try ScratchDirectory(named: "ipfw-test")
    let path = directory.path + "/rules"
    try "add 10 allow in\n\n# more\nadd 20 deny  udp form any to any # text\n".write(
      toFile: path, atomically: false, encoding: .utf8)
    let program = try TerminalProcess(Programs.path("ipfw"), ["ipfw", "-n", "-q", path])
    let end = program.end()
    #expect(
      end.printed
        == "Line 4: missing ``from''\n  add 20 deny udp form any to any\n                  ^^^^\n")
    #expect(end.status == 64)
  }

  struct Row: Sendable, CustomTestStringConvertible {
    let line: String, out: String, err: String, status: Int32, location: SourceLocation
    init(
      _ line: String, out: String = "", err: String = "", _ status: Int32 = 0,
      location: SourceLocation = #_sourceLocation
    ) {
      (self.line, self.out, self.err, self.status, self.location) = (line, out, err, status, location)
    }
    var testDescription: String { line }
  }
}
