import Firewall
import Packets
import TestSupport
import Testing

struct EvaluatorTests {
  static let host = HostView(interfaces: [
    .init(
      index: 1, name: "lo", addresses4: [IPv4Address(rawValue: 0x7f00_0001)],
      addresses6: [IPv6Address(high: 0, low: 1)]),
    .init(
      index: 2, name: "eth0", addresses4: [address("192.0.2.1"), address("192.0.2.9")],
      addresses6: [IPv6Address(high: 0x2001_0db8_0000_0000, low: 1)]),
    .init(index: 3, name: "eth1", addresses4: [address("198.51.100.1")]),
    .init(index: 4, name: "tun0"),
    .init(index: 0, name: "ghost0", addresses4: [address("203.0.113.1")]),
  ])
  static func address(_ text: String) -> IPv4Address { IPv4Address(text) ?? .any }

  static let inEth0 = Pass(direction: .incoming, receiveInterface: 2)
  static let outEth1 = Pass(direction: .outgoing, receiveInterface: 0, transmitInterface: 3)
  /// Received on eth0, on its way out through eth1.
  static let forwarded = Pass(direction: .outgoing, receiveInterface: 2, transmitInterface: 3)

  enum Sort: String, CaseIterable, Sendable {
    case tcp, synAck, fin, rst, synRst, df, firstFragment, udp, echo, udp6, echo6, unreachable6,
      laterFragment, laterFragment6, gre, sctp, udplite, own, own6

    func bytes() throws -> [UInt8] {
      let ports: [UInt8] = [0x04, 0xd2, 0, 53, 0, 0, 0, 0, 0, 0, 0, 0]
      return switch self {
      case .tcp: try Sample.tcp("10.0.0.1", 1234, "10.1.2.3", 80)
      case .synAck: try Sample.tcp("10.0.0.1", 1234, "10.1.2.3", 80, [.syn, .ack])
      case .fin: try Sample.tcp("10.0.0.1", 1234, "10.1.2.3", 80, .fin)
      case .rst: try Sample.tcp("10.0.0.1", 1234, "10.1.2.3", 80, [.rst, .ack])
      case .synRst: try Sample.tcp("10.0.0.1", 1234, "10.1.2.3", 80, [.syn, .rst])
      case .df:
        try {
          var bytes = try Sample.tcp("10.0.0.1", 1234, "10.1.2.3", 80, .ack)
          bytes[6] |= 0x40
          return bytes
        }()
      case .firstFragment: try Sample.packet(17, "10.0.0.1", "10.1.2.3", ports, moreFragments: true)
      case .udp: try Sample.udp("10.0.0.1", 1234, "10.1.2.3", 53)
      case .echo: try Sample.icmp("10.0.0.1", "10.1.2.3", type: 8)
      case .udp6: try Sample.udp("2001:db8::7", 1234, "2001:db8:1::8", 53)
      case .echo6: try Sample.icmp("2001:db8::7", "2001:db8:1::8", type: 128)
      case .unreachable6: try Sample.icmp("2001:db8::7", "2001:db8:1::8", type: 1)
      case .laterFragment:
        try Sample.packet(17, "10.0.0.1", "10.1.2.3", ports, fragmentOffset: 1480)
      case .laterFragment6:
        try Sample.packet(44, "2001:db8::7", "2001:db8:1::8", [17, 0, 0, 0x29, 0, 0, 0, 1] + ports)
      case .gre: try Sample.packet(47, "10.0.0.1", "10.1.2.3", ports)
      case .sctp: try Sample.packet(132, "10.0.0.1", "10.1.2.3", ports)
      case .udplite: try Sample.packet(136, "10.0.0.1", "10.1.2.3", ports)
      case .own: try Sample.udp("192.0.2.9", 1, "127.0.0.1", 2)
      case .own6: try Sample.udp("2001:db8::1", 1, "::1", 2)
      }
    }
  }

  static let rows: [Row] = [
    // protocol and version
    Row("ip from any to any", .tcp, inEth0, true), Row("ip from any to any", .udp6, inEth0, true),
    Row("ip4 from any to any", .tcp, inEth0, true), Row("ip4 from any to any", .udp6, inEth0, false),
    Row("ip6 from any to any", .udp6, inEth0, true), Row("ip6 from any to any", .tcp, inEth0, false),
    Row("not ip6 from any to any", .tcp, inEth0, true),
    Row("tcp from any to any", .tcp, inEth0, true), Row("tcp from any to any", .udp, inEth0, false),
    Row("udp from any to any", .udp6, inEth0, true), Row("udp from any to any", .laterFragment, inEth0, true),
    Row("not tcp from any to any", .gre, inEth0, true), Row("not tcp from any to any", .tcp, inEth0, false),
    Row("gre from any to any", .gre, inEth0, true), Row("47 from any to any", .gre, inEth0, true),
    Row("icmp from any to any", .echo, inEth0, true), Row("icmp from any to any", .echo6, inEth0, false),
    Row("icmp6 from any to any", .echo6, inEth0, true),
    Row("{ tcp or udp } from any to any", .udp, inEth0, true),
    Row("{ tcp or udp } from any to any", .gre, inEth0, false),
    Row("{ not tcp or udp } from any to any", .tcp, inEth0, false),
    Row("{ not tcp or ip4 } from any to any", .tcp, inEth0, true),
    // addresses
    Row("ip from 10.0.0.1 to any", .tcp, inEth0, true), Row("ip from 10.0.0.2 to any", .tcp, inEth0, false),
    Row("ip from any to 10.1.0.0/16", .tcp, inEth0, true),
    Row("ip from any to 10.2.0.0/16", .tcp, inEth0, false),
    Row("ip from any to not 10.2.0.0/16", .tcp, inEth0, true),
    Row("ip from any to 10.9.2.9:255.0.255.0", .tcp, inEth0, true),
    Row("ip from any to 10.9.3.9:255.0.255.0", .tcp, inEth0, false),
    Row("ip from any to 10.1.2.2/31", .tcp, inEth0, true),
    Row("ip from any to 10.1.2.4/31", .tcp, inEth0, false),
    Row("ip from 10.0.0.1 to any", .udp6, inEth0, false),
    Row("ip from not 10.0.0.1 to any", .udp6, inEth0, true),
    Row("ip from 2001:db8::7 to any", .udp6, inEth0, true),
    Row("ip from 2001:db8::8 to any", .udp6, inEth0, false),
    Row("ip from any to 2001:db8:1::/48", .udp6, inEth0, true),
    Row("ip from any to 2001:db8:2::/48", .udp6, inEth0, false),
    Row("ip from any to ::8/::ff", .udp6, inEth0, true), Row("ip from any to ::9/::ff", .udp6, inEth0, false),
    Row("ip from ::/1 to any", .tcp, inEth0, false), Row("ip from not ::/1 to any", .tcp, inEth0, true),
    Row("ip from { 10.0.0.9 or 10.0.0.1 } to any", .tcp, inEth0, true),
    Row("ip from { 10.0.0.9 or 10.0.0.8 } to any", .tcp, inEth0, false),
    Row("ip from { 10.0.0.9 or not 10.0.0.8 } to any", .tcp, inEth0, true),
    Row("ip from { 2001:db8::7 or 10.0.0.1 } to any", .udp6, inEth0, true),
    Row("ip from me to any", .own, outEth1, true), Row("ip from any to me", .own, outEth1, true),
    Row("ip from me to any", .tcp, outEth1, false), Row("ip from not me to any", .tcp, inEth0, true),
    Row("ip from me to me", .own6, outEth1, true), Row("ip from me to any", .udp6, inEth0, false),
    Row("ip6 from me to any", .own6, outEth1, true), Row("ip6 from me to any", .own, outEth1, false),
    // ports
    Row("tcp from any to any 80", .tcp, inEth0, true), Row("tcp from any to any 81", .tcp, inEth0, false),
    Row("tcp from any 1234 to any", .tcp, inEth0, true), Row("tcp from any 80 to any", .tcp, inEth0, false),
    Row("ip from any to any 22,50-60,443", .udp, inEth0, true),
    Row("ip from any to any 22,54-60,443", .udp, inEth0, false),
    Row("ip from any 1000-1234 to any", .udp6, inEth0, true),
    Row("ip from any 1235-2000 to any", .udp6, inEth0, false),
    Row("ip from any 0-65535 to any", .sctp, inEth0, true),
    Row("ip from any to any 53", .udplite, inEth0, true),
    Row("ip from any 0-65535 to any", .gre, inEth0, false),
    Row("ip from any 0-65535 to any", .echo, inEth0, false),
    Row("udp from any 0-65535 to any", .laterFragment, inEth0, false),
    Row("udp from any to any not 53", .laterFragment, inEth0, true),
    Row("ip from any to any not 80", .echo, inEth0, true),
    Row("ip from any to any not 80", .tcp, inEth0, false),
    Row("src-port 80", .tcp, inEth0, false), Row("{ src-port 80 or dst-port 80 }", .tcp, inEth0, true),
    Row("ip from any to any 80 dst-port 81", .tcp, inEth0, false),
    Row("ip from any to any 80 dst-port 79-81", .tcp, inEth0, true),
    // direction and interfaces
    Row("in", .tcp, inEth0, true), Row("in", .tcp, outEth1, false), Row("out", .tcp, outEth1, true),
    Row("out", .tcp, inEth0, false), Row("not out", .tcp, inEth0, true),
    Row("via eth0", .tcp, inEth0, true), Row("via eth1", .tcp, inEth0, false),
    Row("via eth1", .tcp, forwarded, true), Row("via eth0", .tcp, forwarded, false),
    Row("recv eth0", .tcp, inEth0, true), Row("recv eth0", .tcp, forwarded, true),
    Row("recv eth0", .tcp, outEth1, false), Row("not recv eth0", .tcp, outEth1, true),
    Row("xmit eth1", .tcp, forwarded, true), Row("xmit eth1", .tcp, outEth1, true),
    Row("xmit eth0", .tcp, inEth0, false), Row("not xmit eth0", .tcp, inEth0, true),
    Row("xmit eth0", .tcp, Pass(direction: .incoming, receiveInterface: 2, transmitInterface: 2), false),
    Row("recv eth0 xmit eth1", .tcp, forwarded, true), Row("recv eth1 xmit eth0", .tcp, forwarded, false),
    Row("via eth*", .tcp, inEth0, true), Row("via eth?", .tcp, outEth1, true),
    Row("via eth[1-9]", .tcp, inEth0, false),
    Row("via tun*", .tcp, inEth0, false), Row("via nosuch0", .tcp, inEth0, false),
    Row("not via nosuch0", .tcp, inEth0, true), Row("via any", .tcp, inEth0, true),
    Row("via 192.0.2.9", .tcp, inEth0, true), Row("via 192.0.2.9", .tcp, outEth1, false),
    Row("via 203.0.113.1", .tcp, Pass(direction: .incoming, receiveInterface: 0), false),
    Row("recv *", .tcp, outEth1, false), Row("recv *", .tcp, inEth0, true),
    Row("{ recv eth1 or xmit eth1 }", .tcp, outEth1, true),
    // ICMP
    Row("icmp from any to any icmptypes 8", .echo, inEth0, true),
    Row("icmp from any to any icmptypes 0,3,11", .echo, inEth0, false),
    Row("ip from any to any icmptypes 8,0", .echo, inEth0, true),
    Row("ip from any to any icmptypes 8", .echo6, inEth0, false),
    Row("ip from any to any icmptypes 1", .unreachable6, inEth0, false),
    Row("ip from any to any not icmptypes 8", .tcp, inEth0, true),
    Row("icmptypes 0,1,2,3,4,5,6,7,8,9,10", .laterFragment, inEth0, false),
    // lists and sets
    Row("ip from 10.0.0.9,10.0.0.1 to any", .tcp, inEth0, true),
    Row("ip from 10.0.0.9,10.0.0.8 to any", .tcp, inEth0, false),
    Row("ip from not 10.0.0.9,10.0.0.1 to any", .tcp, inEth0, false),
    Row("ip from any to 10.9.0.0/16,10.1.0.0/16", .tcp, inEth0, true),
    Row("ip from 0.0.0.0/1,128.0.0.0/1 to any", .udp6, inEth0, false),
    Row("ip from 10.0.0.0/24{0,1} to any", .tcp, inEth0, true),
    Row("ip from 10.0.0.0/24{0,2-255} to any", .tcp, inEth0, false),
    Row("ip from any to 10.1.2.0/29{2-4}", .tcp, inEth0, true),
    Row("ip from any to 10.1.3.0/29{2-4}", .tcp, inEth0, false),
    Row("ip from 10.0.0.0/24{0,1} to any", .udp6, inEth0, false),
    Row("ip from ::1,2001:db8::7 to any", .udp6, inEth0, true),
    Row("ip from any to 2001:db8:2::/48,2001:db8:1::/48", .udp6, inEth0, true),
    Row("ip from any to 2001:db8:2::/48,2001:db8:3::/48", .udp6, inEth0, false),
    Row("ip from ::/1,8000::/1 to any", .tcp, inEth0, false),
    Row("ip from me6 to me6", .own6, outEth1, true), Row("ip from me6 to any", .own, outEth1, false),
    Row("ip from not me6 to any", .own, outEth1, true), Row("ip6 from me6 to any", .own6, outEth1, true),
    // TCP flags and fragments
    Row("setup", .tcp, inEth0, true), Row("setup", .synAck, inEth0, false), Row("setup", .udp, inEth0, false),
    Row("setup", .synRst, inEth0, true), Row("not setup", .udp, inEth0, true),
    Row("established", .tcp, inEth0, false), Row("established", .synAck, inEth0, true),
    Row("established", .fin, inEth0, true), Row("established", .rst, inEth0, true),
    Row("established", .synRst, inEth0, true), Row("established", .udp, inEth0, false),
    Row("not established", .udp, inEth0, true), Row("established", .laterFragment, inEth0, false),
    Row("tcpflags syn,!ack,!rst", .tcp, inEth0, true), Row("tcpflags syn,!rst", .synRst, inEth0, false),
    Row("tcpflags ack,rst", .rst, inEth0, true), Row("tcpflags ack,rst", .synAck, inEth0, false),
    Row("tcpflags syn,!syn", .tcp, inEth0, false), Row("tcpflags !syn", .udp, inEth0, false),
    Row("frag", .laterFragment, inEth0, true), Row("frag", .firstFragment, inEth0, false),
    Row("frag mf", .firstFragment, inEth0, true), Row("frag mf,offset", .firstFragment, inEth0, false),
    Row("frag !mf,offset", .laterFragment, inEth0, true), Row("frag !mf,!offset", .tcp, inEth0, true),
    Row("frag df", .df, inEth0, true), Row("frag !df", .df, inEth0, false),
    Row("frag rf", .df, inEth0, false),
    Row("frag", .udp6, inEth0, false), Row("frag !df", .udp6, inEth0, false),
    Row("not frag", .udp6, inEth0, true), Row("frag", .laterFragment6, inEth0, true),
    Row("frag offset,!df", .laterFragment6, inEth0, false), Row("frag mf", .laterFragment6, inEth0, false),
    // several together
    Row("tcp from 10.0.0.0/8 to any 80 in recv eth0", .tcp, inEth0, true),
    Row("tcp from 10.0.0.0/8 to any 80 in recv eth1", .tcp, inEth0, false),
    Row("tcp from 10.0.0.0/8 to any 80 out recv eth0", .tcp, forwarded, true),
    Row(
      "{ tcp or udp } from { 10.0.0.9 or 10.0.0.1 } to any { in or out } { via tun0 or via eth0 }", .tcp,
      inEth0, true),
    Row(
      "{ tcp or udp } from { 10.0.0.9 or 10.0.0.1 } to any { in or out } { via tun0 or via eth1 }", .tcp,
      inEth0, false),
  ]

  @Test(arguments: rows) func `a rule matches or not`(_ row: Row) throws {
    var rules = RuleSet(default: .deny)
    try rules.add(Rule("7 allow \(row.body)", names: .builtIn))
    var counters = RuleCounters(for: rules)
    counters.now = 99
    let bytes = try row.sort.bytes()
    let verdict = RuleImage(ruleSet: rules, host: Self.host)
      .evaluate(PacketFields(parsing: bytes.rawSpan), row.pass, from: 0, counters: &counters)
    let expected =
      row.matches
      ? Verdict(decision: .allow, ruleNumber: 7, next: 1)
      : Verdict(decision: .deny, ruleNumber: 65535, next: 2)
    #expect(verdict == expected, sourceLocation: row.line)
    let counted = RuleCounters.Counter(packets: 1, bytes: UInt64(bytes.count), lastMatch: 99)
    #expect(counters[row.matches ? 1 : 0] == counted, sourceLocation: row.line)
    #expect(counters[row.matches ? 0 : 1] == RuleCounters.Counter(), sourceLocation: row.line)
  }

  static let verdicts: [(rules: String, from: Int, verdict: Verdict, counted: [Int])] = [
    (
      "add 10 count in\nadd 20 divert 2000 in", 0,
      .init(decision: .divert(port: 2000), ruleNumber: 20, next: 2), [1, 2]
    ),
    (
      "add 10 divert 1 in\nadd 10 divert 2 in", 0, .init(decision: .divert(port: 1), ruleNumber: 10, next: 1),
      [1]
    ),
    (
      "add 10 divert 1 in\nadd 10 divert 2 in", 1, .init(decision: .divert(port: 2), ruleNumber: 10, next: 2),
      [2]
    ),
    ("add 10 tee 1 in\nadd 10 tee 2 in", 0, .init(decision: .tee(port: 1), ruleNumber: 10, next: 1), [1]),
    ("add 10 tee 1 in\nadd 10 deny in", 1, .init(decision: .deny, ruleNumber: 10, next: 2), [2]),
    ("add 10 allow out\nadd 20 deny in", 0, .init(decision: .deny, ruleNumber: 20, next: 2), [2]),
    ("add 10 deny in", 1, .init(decision: .allow, ruleNumber: 65535, next: 2), [0]),
    (
      "add 10 skipto 30 in\nadd 20 deny in\nadd 30 allow in", 0,
      .init(decision: .allow, ruleNumber: 30, next: 3), [1, 3]
    ),
    (
      "add 10 skipto 25 in\nadd 20 deny in\nadd 30 allow in", 0,
      .init(decision: .allow, ruleNumber: 30, next: 3), [1, 3]
    ),
    ("add 10 skipto 20 out\nadd 15 deny in", 0, .init(decision: .deny, ruleNumber: 15, next: 2), [2]),
    // never backwards, and behind all of its own number
    (
      "add 10 count in\nadd 20 skipto 10 in\nadd 20 deny in\nadd 30 allow in", 0,
      .init(decision: .allow, ruleNumber: 30, next: 4), [1, 2, 4]
    ),
    ("add 10 skipto 10 in\nadd 10 deny in", 0, .init(decision: .allow, ruleNumber: 65535, next: 3), [0, 1]),
    (
      "add 10 skipto 60000 in\nadd 20 deny in", 0,
      .init(decision: .allow, ruleNumber: 65535, next: 3), [0, 1]
    ),
    (
      "add 10 skipto 20 in\nadd 20 skipto 30 in\nadd 30 deny in", 1,
      .init(decision: .deny, ruleNumber: 30, next: 3), [2, 3]
    ),
    ("add 10 count in\nadd 20 count in", 0, .init(decision: .allow, ruleNumber: 65535, next: 3), [0, 1, 2]),
  ]

  @Test(arguments: verdicts.indices) func `rules are tried in order, from the given one on`(row: Int) throws {
    let (text, from, expected, counted) = Self.verdicts[row]
    let rules = try RuleFile.load(text: text, into: RuleSet(default: .allow), names: .builtIn)
    var counters = RuleCounters(for: rules)
    let bytes = try Sort.tcp.bytes()
    let fields = PacketFields(parsing: bytes.rawSpan)
    let verdict = RuleImage(ruleSet: rules, host: Self.host)
      .evaluate(fields, Self.inEth0, from: from, counters: &counters)
    #expect(verdict == expected, "\(text) from \(from)")
    #expect((0..<rules.slotCount).filter { counters[$0].packets == 1 } == counted, "\(text) from \(from)")
  }

  @Test func `the random source is asked once for each rule with prob that matches`() throws {
    let text = """
      add 10 prob 0.5 deny out
      add 20 deny in recv nosuch0
      add 30 prob 0.5 deny { recv eth0 or proto tcp }
      add 40 prob 0.000001 count in
      """
    let rules = try RuleFile.load(text: text, into: RuleSet(default: .allow), names: .builtIn)
    let resolved = RuleImage(ruleSet: rules, host: Self.host)
    let bytes = try Sort.tcp.bytes()
    let half: UInt64 = 1 << 63
    for (numbers, decision, asked) in [
      ([half, 0], Verdict.Decision.allow, 2), ([half - 1], .deny, 1), ([.max, .max], .allow, 2),
    ] {
      var counters = RuleCounters(for: rules)
      var source = Numbers(numbers: numbers)
      let verdict = resolved.evaluate(
        PacketFields(parsing: bytes.rawSpan), Self.inEth0, from: 0, counters: &counters, random: &source)
      #expect(verdict.decision == decision && source.taken == asked, "\(numbers)")
    }
  }

  struct Numbers: RandomNumberGenerator {
    let numbers: [UInt64]
    var taken = 0
    mutating func next() -> UInt64 {
      defer { taken += 1 }
      return taken < numbers.count ? numbers[taken] : .max
    }
  }

  @Test func `an unreadable packet is denied and counted nowhere`() throws {
    let rules = try RuleFile.load(
      text: "add 10 allow not tcp from any to any", into: RuleSet(default: .allow))
    var counters = RuleCounters(for: rules)
    let fresh = counters
    let verdict = RuleImage(ruleSet: rules, host: Self.host)
      .evaluate(PacketFields(), Self.inEth0, from: 0, counters: &counters)
    #expect(verdict == Verdict(decision: .deny, ruleNumber: 65535, next: 2))
    #expect(counters == fresh)
  }

  @Test func `counters grow, keep and clear by slot`() throws {
    var rules = RuleSet(default: .deny)
    var counters = RuleCounters(for: rules)
    counters.now = 5
    counters.count(slot: 0, bytes: 100)
    counters.count(slot: 0, bytes: 28)
    try rules.add(Rule(action: .allow))
    counters.resize(for: rules)
    #expect(counters[0] == RuleCounters.Counter(packets: 2, bytes: 128, lastMatch: 5))
    #expect(counters[1] == RuleCounters.Counter())
    #expect(counters[77] == RuleCounters.Counter())
    counters.clear(slot: 0)
    #expect(counters[0] == RuleCounters.Counter())
  }

  struct Row: Sendable, CustomTestStringConvertible {
    let body: String, sort: Sort, pass: Pass, matches: Bool, line: SourceLocation
    init(_ body: String, _ sort: Sort, _ pass: Pass, _ matches: Bool, line: SourceLocation = #_sourceLocation)
    {
      (self.body, self.sort, self.pass, self.matches, self.line) = (body, sort, pass, matches, line)
    }
    var testDescription: String { "\(body): \(sort.rawValue), \(pass.direction)" }
  }
}
