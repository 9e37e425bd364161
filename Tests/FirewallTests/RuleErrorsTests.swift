import Firewall
import Testing

/// Every message of FreeBSD's ipfw that the language so far can give, with its exit status.
struct RuleErrorsTests {
  static let rows: [Row] = [
    // usage
    Row("", 64, "missing action"),
    Row("100", 64, "missing action"),
    Row("100x allow ip from any to any", 64, "invalid rule number: 100x"),
    Row("allow", 64, "missing protocol"),
    Row("allow {", 64, "missing protocol"),
    Row("divert", 64, "missing argument for divert"),
    Row("allow log logamount", 64, "logamount requires argument"),
    Row("allow log", 64, "missing protocol"),
    Row("100 prob 0.5", 64, "missing action"),
    Row("skipto", 64, "missing argument for skipto"),
    Row("tee", 64, "missing argument for tee"),
    Row("allow ip", 64, "missing ``from''"),
    Row("allow tcp to any", 64, "missing ``from''"),
    Row("allow ip from", 64, "missing source address"),
    Row("allow ip from any", 64, "missing ``to''"),
    Row("allow ip from any in", 64, "missing ``to''"),
    Row("allow tcp from any nosuchservice to any", 64, "missing ``to''"),
    Row("allow tcp from any 1-2-3 to any", 64, "missing ``to''"),
    Row("allow tcp from any not to any", 64, "missing ``to''"),
    Row("allow tcp from any 70000 to any", 64, "missing ``to''"),
    Row("allow tcp from any 9-3 to any", 64, "missing ``to''"),
    Row("allow tcp from any 80, to any", 64, "missing ``to''"),
    Row("allow ip from any to", 64, "missing dst address"),
    Row("allow not not tcp from any to any", 64, "double \"not\" not allowed"),
    Row("allow ip from any to any not not in", 64, "double \"not\" not allowed"),
    Row("allow ip from any to any not !in", 64, "double \"not\" not allowed"),
    Row("allow ip from any to any in not", 64, "missing argument for not"),
    Row("allow { tcp | udp } from any to any", 64, "missing \")\""),
    Row("allow ip from { 10.0.0.1 | 10.0.0.2 } to any", 64, "missing \")\""),
    Row("allow ip from { 10.0.0.1 to any", 64, "missing \")\""),
    Row("allow ip from any to any { in", 64, "missing \")\""),
    Row("allow ip from any to any { in // text", 64, "missing \")\""),
    Row("allow ip from any to any { in { out } }", 64, "+nested \"(\" not allowed"),
    Row("allow ip from any to any in }", 64, "+missing \")\""),
    Row("allow ip from any to any in or out", 64, "invalid \"or\" block"),
    Row("allow ip from any to any { or in }", 64, "invalid \"or\" block"),
    Row("allow ip from any to any { in or }", 64, "invalid \"or\" block"),
    Row("allow ip from any to any { in or or out }", 64, "invalid \"or\" block"),
    Row("allow ip from any to any { in not or out }", 64, "invalid \"or\" block"),
    Row("allow ip from any to any { in or via any }", 64, "invalid \"or\" block"),
    Row("allow ip from any to any { via any or in }", 64, "invalid \"or\" block"),
    Row("allow tpc from any to any", 64, "unrecognised option [-1] tpc"),
    Row("allow 0 from any to any", 64, "unrecognised option [-1] 0"),
    Row("allow 256 from any to any", 64, "unrecognised option [-1] 256"),
    Row("allow !tcp from any to any", 64, "unrecognised option [-1] tcp"),
    Row("allow ip from any to any 80 frobnicate", 64, "unrecognised option [-1] frobnicate"),
    Row("allow ip from any to any 70000", 64, "unrecognised option [-1] 70000"),
    Row("allow ip from any to any i", 64, "unrecognised option [-1] i"),
    Row("allow ip from any to any //text", 64, "unrecognised option [-1] //text"),
    Row("allow src-ip6 10.0.0.1", 64, "unrecognised option [-1] 10.0.0.1"),
    Row("allow ip from any to any recv", 64, "recv, xmit, via require interface name or address"),
    Row("allow icmp from any to any icmptypes", 64, "icmptypes requires list of types"),
    Row("allow ip from any to any src-ip", 64, "missing source IP"),
    Row("allow ip from any to any dst-ip", 64, "missing destination IP"),
    Row("allow ip from any to any src-ip6", 64, "missing source IP6"),
    Row("allow ip from any to any dst-ip6", 64, "missing destination IP6"),
    Row("allow ip from any to any proto", 64, "missing protocol"),
    Row("allow ip from any to any src-port", 64, "missing source port"),
    Row("allow ip from any to any dst-port", 64, "missing destination port"),
    Row("allow tcp from any to any tcpflags", 64, "missing argument for tcpflags"),
    Row("allow ip from any to any frag df,foo", 64, "unrecognised option [-1] df,foo"),
    // data
    Row("allow tcp from any to any tcpflags syn,foo", 65, "invalid flag foo"),
    Row("allow tcp from any to any tcpflags !foo", 65, "invalid flag foo"),
    Row("allow tcp from any to any tcpflags syn,,ack", 65, "invalid flag"),
    Row("alow ip from any to any", 65, "invalid action alow"),
    Row("divert 0 ip from any to any", 65, "illegal argument for divert"),
    Row("divert 65535 ip from any to any", 65, "illegal argument for divert"),
    Row("tee 99999 ip from any to any", 65, "illegal argument for tee"),
    Row("divert 12ab ip from any to any", 65, "illegal argument for divert"),
    Row("set 32 allow in", 65, "illegal set 32"),
    Row("set x allow in", 65, "illegal set x"),
    Row("set -1 allow in", 65, "illegal set -1"),
    Row("prob 0.5 set 3 allow in", 65, "invalid action set"),
    Row("set", 65, "invalid action set"),
    Row("prob", 65, "invalid action prob"),
    Row("prob 0 allow in", 65, "illegal match prob. 0"),
    Row("prob 1.1 allow in", 65, "illegal match prob. 1.1"),
    Row("prob -0.5 allow in", 65, "illegal match prob. -0.5"),
    Row("prob nan allow in", 65, "illegal match prob. nan"),
    Row("prob half allow in", 65, "illegal match prob. half"),
    Row("prob 1e-9 allow in", 65, "illegal match prob. 1e-9"),
    Row("allow log log in", 65, "log cannot be specified more than once"),
    Row("allow log logamount -1 in", 65, "logamount must be positive"),
    Row("allow log logamount many in", 65, "logamount must be positive"),
    Row("allow logamount 5 in", 64, "unrecognised option [-1] logamount"),
    Row("skipto 0 ip from any to any", 65, "illegal argument for skipto"),
    Row("skipto 65535 ip from any to any", 65, "illegal argument for skipto"),
    Row("skipto 99999999999 ip from any to any", 65, "illegal argument for skipto"),
    Row("skipto ip from any to any", 65, "illegal argument for skipto"),
    Row("skipto 5x in", 65, "illegal argument for skipto"),
    Row("divert nosuch ip from any to any", 65, "illegal divert/tee port"),
    Row("divert http ip from any to any", 65, "illegal divert/tee port"),
    Row("allow { tcp or tpc } from any to any", 65, "invalid protocol ``tpc''"),
    Row("allow ip from any to any proto tpc", 65, "invalid protocol ``tpc''"),
    Row("allow tcp or udp from any to any", 65, "invalid OR block"),
    Row("allow { ip or tcp } from any to any", 65, "invalid OR block"),
    Row("allow { tcp or ip } from any to any", 65, "invalid OR block"),
    Row("allow ip from 10.0.0.1 or 10.0.0.2 to any", 65, "invalid OR block"),
    Row("allow ip from { any or 10.0.0.2 } to any", 65, "invalid OR block"),
    Row("allow ip from { 10.0.0.2 or any } to any", 65, "invalid OR block"),
    Row("allow ip from 10.0.0.1:255.255.0.256 to any", 65, "bad netmask ``255.255.0.256''"),
    Row("allow ip from 10.0.0.1/33 to any", 65, "bad width ``33''"),
    Row("allow ip from 10.0.0.1/abc to any", 65, "bad width ``abc''"),
    Row("allow ip from 10.0.0.1/ to any", 65, "bad width ``''"),
    Row("allow ip from ::1/129 to any", 65, "bad width ``129''"),
    Row("allow ip from ::1/ff:: to any ::", 64, "unrecognised option [-1] ::"),
    Row("allow ip from ::1/f:g to any", 65, "bad mask ``f:g''"),
    Row("allow ip from not 0.0.0.0/0 to any", 65, "not any never matches"),
    Row("allow ip from any to not ::/0", 65, "not any never matches"),
    Row("allow ip from not 10.0.0.1,0.0.0.0/0 to any", 65, "not any never matches"),
    Row("allow ip from not ::1,::/0 to any", 65, "not any never matches"),
    Row("allow ip from 10.0.0.1,10.0.0.0/24{1} to any", 65, "address set cannot be in a list"),
    Row("allow ip from 10.0.0.0/24{1},10.0.0.1 to any", 65, "address set cannot be in a list"),
    Row("allow ip from 10.0.0.0/23{1} to any", 65, "invalid set with mask 23"),
    Row("allow ip from 10.0.0.0/32{1} to any", 65, "invalid set with mask 32"),
    Row("allow ip from 10.0.0.0:255.0.255.0{1} to any", 65, "invalid set with mask -1"),
    Row("allow ip from 10.0.0.0/28{1,16} to any", 65, "addr 16 out of range [0-15]"),
    Row("allow ip from 10.0.0.64/28{63} to any", 65, "addr 63 out of range [64-79]"),
    Row("allow ip from 10.0.0.0/24{256} to any", 65, "addr 256 out of range [0-255]"),
    Row("allow ip from 10.0.0.0/24{1,2 to any", 65, "set not closed"),
    Row("allow ip from 10.0.0.0/24{} to any", 65, "set not closed"),
    Row("allow ip from 10.0.0.0/24{1,x} to any", 65, "set not closed"),
    Row("allow ip from 10.0.0.0/24{5-3} to any", 65, "invalid range 5-3"),
    Row("allow ip from 10.0.0.0/24{1-2-3} to any", 65, "double '-' in range"),
    Row("allow ip from 10.0.0.0/24{1-} to any", 65, "incomplete range 1-"),
    Row(
      "allow ip from \((1...32).map { "10.0.0.\($0)" }.joined(separator: ",")) to any", 65,
      "address list too long"),
    Row(
      "allow ip from \((1...8).map { "::\($0)" }.joined(separator: ",")) to any", 65, "address list too long"),
    Row("allow icmp from any to any icmptypes 32", 65, "ICMP type out of range"),
    Row("allow icmp from any to any icmptypes 8,,0", 65, "invalid ICMP type"),
    Row("allow icmp from any to any icmptypes 1-3", 65, "invalid ICMP type"),
    Row("allow icmp from any to any icmptypes echo", 65, "invalid ICMP type"),
    Row("allow ip from any to any via 10.0.0.x", 65, "bad ip address ``10.0.0.x''"),
    Row("allow ip from any to any src-port x", 65, "invalid source port x"),
    Row("allow ip from any to any dst-port 70000", 65, "invalid destination port 70000"),
    Row(
      "allow ip from any to any \((1...63).map(String.init).joined(separator: ","))", 65,
      "too many ports/ranges"),
    Row("allow // \(String(repeating: "x", count: 84))", 65, "comment too long (max 80 chars)"),
    // hosts
    Row("allow ip from nosuch.example to any", 68, "hostname ``nosuch.example'' unknown"),
    Row("allow ip from 10.0.0.256 to any", 68, "hostname ``10.0.0.256'' unknown"),
    Row("allow ip from !10.0.0.1 to any", 68, "hostname ``!10.0.0.1'' unknown"),
    Row("allow ip from 10.0.0.1.2/24 to any", 68, "hostname ``10.0.0.1.2'' unknown"),
    Row("allow ip from { 10.0.0.1 or } to any", 68, "hostname ``}'' unknown"),
    Row("allow ip from 10.0.0.1,me to any", 68, "hostname ``me'' unknown"),
    Row("allow ip from 10.0.0.1,,10.0.0.2 to any", 68, "hostname ``'' unknown"),
    Row("allow ip from ::1,10.0.0.1 to any", 68, "hostname ``10.0.0.1'' unknown"),
    // ipfw knows it, we do not yet
    Row("skipto tablearg ip from any to any", 69, "not supported yet: tablearg"),
    Row("call 500 ip from any to any", 69, "not supported yet: call"),
    Row("reject ip from any to any", 69, "not supported yet: reject"),
    Row("check-state", 69, "not supported yet: check-state"),
    Row("fwd 127.0.0.1 tcp from any to any", 69, "not supported yet: fwd"),
    Row("allow tag 1 ip from any to any", 69, "not supported yet: tag"),
    Row("divert 1 log altq q ip from any to any", 69, "not supported yet: altq"),
    Row("divert tablearg ip from any to any", 69, "not supported yet: tablearg"),
    Row("allow tcp from any to any tcpwin 5", 69, "not supported yet: tcpwin"),
    Row("allow tcp from any to any 80 keep-state", 69, "not supported yet: keep-state"),
    Row("allow ip from table(1) to any", 69, "not supported yet: table(1)"),
    Row("allow ip from any to any via table(1)", 69, "not supported yet: table(1)"),
    Row("65536 allow ip from any to any", 69, "getsockopt(IP_FW_XADD): Invalid argument"),
  ]

  @Test(arguments: rows) func `a wrong rule is refused in ipfw's words`(_ row: Row) {
    #expect(throws: row.error, sourceLocation: row.line) { try Rule(row.text, names: .builtIn) }
  }

  /// Neither silence nor another rule.
  @Test func `every word that is not there yet says so`() {
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
    for address in ["table(1)", "table(hosts,5)"] {
      expect("allow ip from \(address) to any", address)
      expect("allow ip6 from any to not \(address)", address)
      expect("allow dst-ip \(address)", address)
      expect("allow src-ip6 \(address)", address)
      expect("allow recv \(address)", address)
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
    ("allow tcp from any 80;81 to any", ["port list: invalid separator <;> in <80;81>"]),
    (
      "allow tcp fro a to any",
      [
        "DEPRECATED: 'fro' matched 'from' as a sub-string", "DEPRECATED: 'a' matched 'any' as a sub-string",
      ]
    ),
    ("allow tcp from any to any in", []),
  ])
  func `warnings are given also where the rule is refused`(text: String, warnings: [String]) {
    var parser = RuleParser(text.split(separator: " ").map(String.init), names: .builtIn)
    _ = try? parser.rule()
    #expect(parser.warnings == warnings)
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

  struct Row: Sendable, CustomTestStringConvertible {
    let text: String, error: RuleError, line: SourceLocation
    init(_ text: String, _ status: Int32, _ message: String, line: SourceLocation = #_sourceLocation) {
      (self.text, self.line) = (text, line)
      error = RuleError(message, RuleError.Status(rawValue: status) ?? .systemError)
    }
    var testDescription: String { text.isEmpty ? "(empty)" : String(text.prefix(90)) }
  }
}
