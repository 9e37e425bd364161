import Firewall
import Testing

/// What each call of `ipfw` prints where, and its exit status: as FreeBSD's.
struct IpfwCommandsTests {
  static let rules = """
    add 100 divert 2000 icmp from any to any in icmptypes 8
    add 200 allow tcp from any to any 80,443
    add 200 count ip from any to any // second
    """

  static let rows: [Row] = [
    // list and show
    Row(
      ["list"],
      out: """
        00100 divert 2000 icmp from any to any in icmptypes 8
        00200 allow tcp from any to any 80,443
        00200 count ip from any to any // second
        65535 deny ip from any to any

        """),
    Row(["print", "65535"], out: "65535 deny ip from any to any\n"),
    Row(
      ["show"],
      out: """
        00100   3    252 divert 2000 icmp from any to any in icmptypes 8
        00200 120 100342 allow tcp from any to any 80,443
        00200   0      0 count ip from any to any // second
        65535   0      0 deny ip from any to any

        """),
    Row(["-a", "list", "65535"], out: "65535 0 0 deny ip from any to any\n"),
    Row(["-T", "list", "100"], out: "00100 1700000000 divert 2000 icmp from any to any in icmptypes 8\n"),
    Row(["-T", "list", "65535"], out: "65535          0 deny ip from any to any\n"),
    Row(["-t", "show", "65535"], out: "65535 0 0                          deny ip from any to any\n"),
    Row(["-S", "list", "65535"], out: "65535 set 31 deny ip from any to any\n"),
    Row(["-S", "list", "100"], out: "00100 set 0 divert 2000 icmp from any to any in icmptypes 8\n"),
    Row(["-c", "list", "200"], out: "00200 allow tcp from any to any 80,443\n00200 count ip // second\n"),
    Row(["-c", "list", "65535"], out: "65535 deny ip\n"),
    Row(["-b", "list", "200"], out: "00200 allow // ...\n00200 count // second\n"),
    Row(
      ["-N", "list", "200-300"],
      out: "00200 allow tcp from any to any http,https\n00200 count ip from any to any // second\n"),
    Row(["-D", "list"]),
    Row(["-de", "list", "65535"], out: "65535 deny ip from any to any\n"),
    Row(
      ["list", "100", "300"],
      out: "00100 divert 2000 icmp from any to any in icmptypes 8\n", err: "ipfw: rule 300 does not exist\n",
      69),
    Row(["list", "300-400"], err: "ipfw: no rules in range 300-400\n", 69),
    Row(["list", "300-"], err: "ipfw: no rules in range 300-0\n", 69),
    Row(["list", "70000"], err: "ipfw: rule 70000 does not exist\n", 69),
    Row(["list", "70000-80000"], err: "ipfw: no rules in range 70000-80000\n", 69),
    Row(["show", "65536"], err: "ipfw: rule 65536 does not exist\n", 69),
    Row(["list", "400-99999"], out: "65535 deny ip from any to any\n"),
    Row(["list", "65535-99999999999999999999"], out: "65535 deny ip from any to any\n"),
    Row(["delete", "70000"], err: "ipfw: invalid rule number: 70000\n", 64),
    Row(["delete", "100-70000"], err: "ipfw: invalid rule number: 100-70000\n", 64),
    Row(["list", "abc"], err: "ipfw: invalid rule number: abc\n", 64),
    Row(["list", "1x"], err: "ipfw: invalid rule number: 1x\n", 64),
    Row(["-n", "list"], err: "Testing only, list disabled\n"),
    // add
    Row(
      ["add", "150", "allow", "ip", "from", "any", "to", "any"], out: "00150 allow ip from any to any\n",
      left: 5),
    Row(
      ["add 150 allow tcp from any to any 80, 443 # the web"],
      out: "00150 allow tcp from any to any 80,443\n", left: 5),
    Row(
      ["add", "allow", "tcp", "from", "any", "to", "any", "80,", "443"],
      out: "00300 allow tcp from any to any 80,443\n", left: 5),
    Row(["150", "add", "deny", "in"], out: "00150 deny in\n", left: 5),
    Row(["add", "0", "deny", "in"], out: "00300 deny in\n", left: 5),
    Row(["-q", "add", "deny", "in"], left: 5),
    Row(["add", "65534", "deny", "in"], out: "65534 deny in\n", left: 5),
    Row(["add", "65535", "deny", "in"], err: "ipfw: getsockopt(IP_FW_XADD): Invalid argument\n", 69),
    Row(["add", "70000", "deny", "in"], err: "ipfw: getsockopt(IP_FW_XADD): Invalid argument\n", 69),
    Row(["-n", "add", "deny", "in"], out: "00000 deny in\n"),
    Row(["-n", "add", "7", "deny", "in"], out: "00007 deny in\n"),
    Row(
      ["ad", "7", "deny", "in"], out: "00007 deny in\n",
      err: "ipfw: DEPRECATED: 'ad' matched 'add' as a sub-string\n", left: 5),
    Row(
      ["add 7 deny ip fr an t m"], out: "00007 deny ip from any to me\n",
      err: """
        ipfw: DEPRECATED: 'fr' matched 'from' as a sub-string
        ipfw: DEPRECATED: 'an' matched 'any' as a sub-string
        ipfw: DEPRECATED: 't' matched 'to' as a sub-string
        ipfw: DEPRECATED: 'm' matched 'me' as a sub-string

        """, left: 5),
    // delete
    Row(["delete", "100"], left: 3),
    Row(["delete", "200"], left: 2),
    Row(["delete", "0"], left: 1),
    Row(["delete", "100-200"], left: 1),
    Row(["del", "100"], err: "ipfw: DEPRECATED: 'del' matched 'delete' as a sub-string\n", left: 3),
    Row(["delete", "1", "100", "3"], err: "ipfw: rule 1 not found\nipfw: rule 3 not found\n", 69, left: 3),
    Row(["delete", "1-3"], err: "ipfw: no rules rules in 1-3 range\n", 69),
    Row(["-f", "delete", "1"], err: "ipfw: rule 1 not found\n"),
    Row(["-q", "delete", "1"], 69),
    Row(["-fq", "delete", "1"]),
    Row(["delete", "65535"], err: "ipfw: rule 65535 not found\n", 69),
    Row(["delete", "300-200"], err: "ipfw: rule 300: setsockopt(IP_FW_XDEL): Invalid argument\n", 69),
    Row(["delete", "abc"], err: "ipfw: invalid rule number: abc\n", 64),
    Row(["delete", "100", "abc"], err: "ipfw: invalid rule number: abc\n", 64),
    Row(["delete"], err: "ipfw: missing rule specification\n", 64),
    Row(["-n", "delete", "100"], err: "ipfw: rule 100 not found\n", 69),
    // flush
    Row(["-f", "flush"], out: "Flushed all rules.\n", left: 1),
    Row(["-q", "flush"], left: 1),
    Row(["-n", "flush"], out: "Flushed all rules.\n"),
    // zero
    Row(["zero"], out: "Accounting cleared.\n", cleared: [0, 1, 2, 3]),
    Row(["-q", "zero"], cleared: [0, 1, 2, 3]),
    Row(["zero", "200"], out: "Entry 200 cleared.\n", cleared: [2, 3]),
    Row(["zero", "1", "100"], out: "Entry 1 not found\nEntry 100 cleared.\n", 69, cleared: [1]),
    Row(["-q", "zero", "1", "100"], out: "Entry 1 not found\n", 69, cleared: [1]),
    Row(["zero", "65535"], out: "Entry 65535 cleared.\n", cleared: [0]),
    Row(["zero", "abc"], err: "ipfw: invalid rule number ``abc''\n", 64),
    Row(["zero", "99999"], err: "ipfw: invalid rule number 99999\n", 65),
    Row(
      ["zero", "100", "abc"], out: "Entry 100 cleared.\n", err: "ipfw: invalid rule number ``abc''\n", 64,
      cleared: [1]),
    Row(["-n", "zero"], out: "Accounting cleared.\n"),
    Row(["-n", "zero", "100"], out: "Entry 100 not found\n", 69),
    // resetlog
    Row(["resetlog"], out: "Logging counts reset.\n"), Row(["-q", "resetlog"]),
    Row(["resetlog", "200"], out: "Entry 200 logging count reset.\n"),
    Row(["-q", "resetlog", "200"]),
    Row(["resetlog", "1", "100"], out: "Entry 1 not found\nEntry 100 logging count reset.\n", 69),
    Row(["resetlog", "abc"], err: "ipfw: invalid rule number ``abc''\n", 64),
    Row(
      ["resetl", "99999"],
      err: "ipfw: DEPRECATED: 'resetl' matched 'resetlog' as a sub-string\nipfw: invalid rule number 99999\n",
      65),
    // lines of a file
    Row(
      ["--lines", "add 300 deny in", "", "# nothing", "  -q add 400 deny out # quiet", "zero 300"],
      out: "00300 deny in\nEntry 300 cleared.\n", left: 6, cleared: [4, 5]),
    Row(
      ["-q", "--lines", "add 300 deny in", "add 400 alow ip from any to any", "add 500 deny in"],
      err: "Line 2: invalid action alow\n", 65, left: 5),
    Row(
      ["--lines", "delete 100", "add 100 allow in", "show 100"],
      out: "00100 allow in\n00100 0 0 allow in\n", cleared: [1]),
    Row(
      ["-f", "--lines", "flush", "delete 5", "add allow out"],
      out: "Flushed all rules.\n00100 allow out\n", err: "Line 2: rule 5 not found\n", left: 2, cleared: [1]),
    Row(["--lines", "delete 5", "add allow out"], err: "Line 1: rule 5 not found\n", 69),
    Row(["--lines", "/etc/rules", ""], err: "Line 1: bad command `/etc/rules'\n", 64),
    Row(["/nonexistent/rules"], err: "ipfw: pathname: /nonexistent/rules: No such file or directory\n", 64),
    // whole or not at all
    Row(
      ["--atomic", "--lines", "add 300 deny in", "zero 300"],
      out: "00300 deny in\nEntry 300 cleared.\n", left: 5),
    Row(
      ["--atomic", "--lines", "zero 100", "delete 100", "add 300 deny in", "add alow in"],
      err: "Line 4: invalid action alow\n", 65),
    Row(["-q", "--atomic", "--lines", "add 300 deny in", "delete 5"], 69),
    Row(
      ["--lines", "zero 100", "show 100"],
      out: "Entry 100 cleared.\n00100 0 0 divert 2000 icmp from any to any in icmptypes 8\n", cleared: [1]),
    // what is no command
    Row([], err: "ipfw: usage: ipfw [options]\ndo \"ipfw -h\" or \"man ipfw\" for details\n", 64),
    Row(["-q"], err: "ipfw: usage: ipfw [options]\ndo \"ipfw -h\" or \"man ipfw\" for details\n", 64),
    Row([""], err: "ipfw: usage: ipfw [options]\ndo \"ipfw -h\" or \"man ipfw\" for details\n", 64),
    Row(
      ["-x", "list"],
      err:
        "ipfw: illegal option -- x\nipfw: usage: ipfw [options]\ndo \"ipfw -h\" or \"man ipfw\" for details\n",
      64),
    Row(["frobnicate"], err: "ipfw: bad command `frobnicate'\n", 64),
    Row(["100", "list"], out: "00100 divert 2000 icmp from any to any in icmptypes 8\n"),
    Row(["--", "list", "65535"], out: "65535 deny ip from any to any\n"),
    Row(["--", "-q"], err: "ipfw: bad command `-q'\n", 64),
    Row(["-p", "cpp", "list"], err: "ipfw: An absolute pathname must be used with -p option.\n", 64),
    Row(["-p", "/rules"], err: "ipfw: no filename argument\n", 64),
    Row(["-a", "/rules"], err: "ipfw: bad arguments, for usage summary ``ipfw''\n", 64),
    Row(["add", "allow", "in", "//", "/rules"], err: "ipfw: extraneous filename arguments /rules\n", 64),
    Row(["add allow in // /rules"], out: "00300 allow in // /rules\n", left: 5),
    Row(["table", "1", "list"], err: "ipfw: not supported yet: table\n", 69),
    Row(["nat", "1", "config"], err: "ipfw: not supported yet: nat\n", 69),
    Row(["enable", "firewall"], err: "ipfw: not supported yet: enable\n", 69),
  ]

  @Test(arguments: rows) func `a command prints and ends as ipfw does`(_ row: Row) throws {
    var backend = Backend(try RuleFile.load(text: Self.rules, into: RuleSet(default: .deny), names: .builtIn))
    let result: CommandResult
    do throws(RuleError) {
      result = try IpfwInvocation(arguments: row.words).execute(on: &backend, names: .builtIn)
    } catch {
      result = CommandResult(error)
    }
    #expect(result == row.result, sourceLocation: row.line)
    #expect(backend.ruleSet.entries.count == row.left, sourceLocation: row.line)
    #expect(Set(backend.cleared) == row.cleared, sourceLocation: row.line)
  }

  @Test(arguments: rows) func `a call survives being sent as words`(_ row: Row) throws {
    guard let call = try? IpfwInvocation(arguments: row.words) else { return }
    if case .file = call.job { return }
    var again = try IpfwInvocation(call.words)
    #expect(again == call, sourceLocation: row.line)
    again.force()
    #expect(try IpfwInvocation(again.words) == again, sourceLocation: row.line)
    #expect(again.flags.isForced, sourceLocation: row.line)
  }

  @Test(arguments: [
    (["flush"], 1), (["-f", "flush"], 0), (["-q", "flush"], 0), (["-n", "flush"], 0), (["flus"], 1),
    (["list"], 0),
    (["set", "3", "flush"], 1), (["set", "3", "list"], 0),
    (["--lines", "list", "flush", "# flush", "flush"], 2),
    (["--lines", "-q flush"], 0), (["-q", "--lines", "flush"], 0), (["delete", "0"], 0),
  ])
  func `only a flush asks first`(words: [String], questions: Int) throws {
    var asked = 0
    var call = try IpfwInvocation(words)
    let before = call
    call.confirmFlushes {
      asked += 1
      return true
    }
    #expect(asked == questions)
    #expect(call == before)
  }

  @Test func `a flush that nobody wants is left out, and the lines keep their numbers`() throws {
    var call = try IpfwInvocation(["flush"])
    call.confirmFlushes { false }
    #expect(call.job == .lines([]))
    var file = try IpfwInvocation(["--lines", "add 10 allow in", "flush", "set 3 flush", "frob"])
    var answers = [false, true]
    file.confirmFlushes { answers.removeFirst() }
    #expect(file.job == .lines(["add 10 allow in", "", "set 3 flush", "frob"]))
  }

  @Test(arguments: [
    (["-q", "-p", "m4", "-DX=1", "/rules"], ["m4", "-DX=1"]),
    (["-qpcpp", "-P", "a b", "/rules"], ["cpp", "-P", "a b"]),
    (["-cfNnqS", "/rules"], []),
  ])
  func `a file may have a preprocessor with arguments of its own`(words: [String], preprocessor: [String])
    throws
  {
    let call = try IpfwInvocation(arguments: words)
    #expect(call.job == .file("/rules", preprocessor: preprocessor))
    #expect(call.flags.isQuiet)
  }

  @Test func `help and version are printed and end well`() throws {
    var backend = DetachedRules(RuleSet(default: .allow))
    for words in [["-h"], ["--help"], ["-qh", "list"]] {
      let result = try IpfwInvocation(words).execute(on: &backend)
      #expect(result == CommandResult(output: IpfwFlags.help))
    }
    let version = try IpfwInvocation(["--version"]).execute(on: &backend)
    #expect(version == CommandResult(output: "ipfw (Divert) \(divertVersion)\n"))
  }

  @Test func `the time of the last match is a text of 24 characters`() throws {
    var backend = Backend(try RuleFile.load(text: Self.rules, into: RuleSet(default: .deny)))
    let line = try IpfwInvocation(["-t", "list", "100"]).execute(on: &backend).output
    let time = line.dropFirst(6).prefix(24)
    // the day depends on the time zone
    #expect(time.contains(" Nov 1") && time.hasSuffix(" 2023"), "\(line)")
    #expect(line.dropFirst(30).hasPrefix(" divert 2000 "), "\(line)")
  }

  @Test func `a refused change says only why`() throws {
    struct Refusing: FirewallBackend {
      let ruleSet = RuleSet(default: .deny)
      mutating func replaceRules(with ruleSet: RuleSet) throws(RuleError) {
        throw RuleError("the hook was refused", .systemError)
      }
      func counter(_ slot: Int) -> RuleCounters.Counter { RuleCounters.Counter() }
      mutating func clearCounter(_ slot: Int) {}
    }
    var backend = Refusing()
    let result = try IpfwInvocation(["add allow in"]).execute(on: &backend)
    #expect(result == CommandResult(errors: "ipfw: the hook was refused\n", status: 71))
  }

  /// Counts what is cleared; slots 1 and 2 have counters.
  struct Backend: FirewallBackend {
    private(set) var ruleSet: RuleSet
    private(set) var cleared: [Int] = []

    init(_ ruleSet: RuleSet) { self.ruleSet = ruleSet }
    mutating func replaceRules(with ruleSet: RuleSet) { self.ruleSet = ruleSet }
    mutating func clearCounter(_ slot: Int) { cleared.append(slot) }
    func counter(_ slot: Int) -> RuleCounters.Counter {
      switch slot {
      case 1: RuleCounters.Counter(packets: 3, bytes: 252, lastMatch: 1_700_000_000_999_999_999)
      case 2: RuleCounters.Counter(packets: 120, bytes: 100342, lastMatch: 1)
      default: RuleCounters.Counter()
      }
    }
  }

  struct Row: Sendable, CustomTestStringConvertible {
    let words: [String], result: CommandResult, left: Int, cleared: Set<Int>, line: SourceLocation
    init(
      _ words: [String], out: String = "", err: String = "", _ status: Int32 = 0, left: Int = 4,
      cleared: Set<Int>? = nil, line: SourceLocation = #_sourceLocation
    ) {
      self.words = words
      result = CommandResult(output: out, errors: err, status: status)
      // the first rule added gets slot 4, whose counter begins anew
      (self.left, self.cleared, self.line) = (left, cleared ?? (left == 5 ? [4] : []), line)
    }
    var testDescription: String { words.joined(separator: " ") }
  }
}
