import Namespaces
import TestSupport
import Testing

/// The program with a divertd behind it: rules that are in force, listed, asked for and gone.
@Suite(.serialized) struct IpfwProgramOnKernelTests {
  /// One after the other, as typed in a shell whose input is no terminal.
  static let session: [(line: String, out: String, err: String, status: Int32)] = [
    ("ipfw list", "65535 allow ip from any to any\n", "", 0),
    (
      "ipfw add 100 divert natd icmp from any to any in icmptypes 8,0",
      "00100 divert 8668 icmp from any to any in icmptypes 0,8\n", "", 0
    ),
    (
      "ipfw add allow '{' tcp or udp '}' from any to ::1,2001:db8::/32 80-80,443",
      "00200 allow { tcp or udp } from any to ::1,2001:db8::/32 80,443\n", "", 0
    ),
    (
      "ipfw -q add 200 set 3 prob 0.5 count log logamount 7 src-ip6 ::1/64 dst-ip6 fe80::1 // so", "", "", 0
    ),
    ("ipfw add 250 deny ip6 from ::1,10.0.0.1 to me", "", "ipfw: hostname ``10.0.0.1'' unknown\n", 68),
    (
      "ipfw add 250 deny ip from localhost/8 to me",
      "00250 deny ip from 127.0.0.0/8 to me\n", "", 0
    ),
    ("ipfw add alow ip from any to any", "", "ipfw: invalid action alow\n", 65),
    ("ipfw add 65535 allow in", "", "ipfw: getsockopt(IP_FW_XADD): Invalid argument\n", 69),
    (
      "ipfw -S show 200",
      """
      00200 0 0 set 0 allow { tcp or udp } from any to ::1,2001:db8::/32 80,443
      00200 0 0 set 3 prob 0.500000 count log logamount 7 src-ip6 ::/64 dst-ip6 fe80::1 // so

      """, "", 0
    ),
    (
      "ipfw list 100 300", "00100 divert 8668 icmp from any to any in icmptypes 0,8\n",
      "ipfw: rule 300 does not exist\n", 69
    ),
    ("ipfw set disable 3", "", "", 0),
    (
      "ipfw -S set 3 list",
      "# DISABLED 00200 set 3 prob 0.500000 count log logamount 7 src-ip6 ::/64 dst-ip6 fe80::1 // so\n", "",
      0
    ),
    ("ipfw -T list 250", "00250          0 deny ip from 127.0.0.0/8 to me\n", "", 0),
    ("ipfw zero 100 300", "Entry 100 cleared.\nEntry 300 not found\n", "", 69),
    ("ipfw resetlog 200", "Entry 200 logging count reset.\n", "", 0),
    ("ipfw -q zero 300 100", "Entry 300 not found\n", "", 69),
    ("ipfw zero abc", "", "ipfw: invalid rule number ``abc''\n", 64),
    ("ipfw list 300-", "", "ipfw: no rules in range 300-0\n", 69),
    ("ipfw set 3 list 200", "", "", 0),
    ("ipfw set disable 31", "", "", 0),
    ("ipfw set show", "disable 3 enable 0 1 2 \((4...30).map { "\($0)" }.joined(separator: " "))\n", "", 0),
    ("ipfw delete 250 300", "", "ipfw: rule 300 not found\n", 0),
    ("ipfw delete 300-200", "", "ipfw: rule 300: setsockopt(IP_FW_XDEL): Invalid argument\n", 0),
    ("ipfw -n delete 100", "", "ipfw: rule 100 not found\n", 0),
    ("ipfw delete set 9", "", "", 0),
    ("ipfw delete abc", "", "ipfw: invalid rule number: abc\n", 64),
    (
      "printf 'add 400 allow in\\nadd 500 frob\\nadd 600 deny in\\n' | ipfw /dev/stdin",
      "00400 allow in\n", "Line 2: invalid action frob\n", 65
    ),
    (
      "printf 'delete 400\\nadd 500 frob\\n' | ipfw --atomic /dev/stdin", "", "Line 2: invalid action frob\n",
      65
    ),
    ("printf 'add 10 PLACE in\\n' | ipfw -q -p sed s/PLACE/deny/ /dev/stdin", "", "", 0),
    (
      "ipfw list",
      """
      00010 deny in
      00100 divert 8668 icmp from any to any in icmptypes 0,8
      00200 allow { tcp or udp } from any to ::1,2001:db8::/32 80,443
      00400 allow in
      65535 allow ip from any to any

      """, "", 0
    ),
    ("ipfw add 700 set 31 count out", "00700 count out\n", "", 0),
    ("ipfw flush", "Flushed all rules.\n", "", 0),
    ("ipfw -a list", "00700 0 0 count out\n65535 0 0 allow ip from any to any\n", "", 0),
    ("ipfw delete set 31", "", "", 0),
    ("ipfw -a list", "65535 0 0 allow ip from any to any\n", "", 0),
  ]

  @Test func `a session`() throws {
    let namespace = try Namespace()
    let daemon = try RunningDaemon(in: namespace)
    for (line, out, err, status) in Self.session {
      let result = try LeashedProcess(
        ["sh", "-c", "ipfw() { '\(Programs.path("ipfw"))' \"$@\"; }; \(line)"],
        environment: daemon.environment
      ).result(within: .seconds(60))
      #expect(result.output == out, "\(line)")
      #expect(result.errors == err, "\(line)")
      #expect(result.status == status, "\(line)")
    }
  }

  @Test func `at a terminal a flush asks, and does it`() throws {
    let namespace = try Namespace()
    let daemon = try RunningDaemon(in: namespace)
    try daemon.ipfw("add 100 count ip from any to any")
    let variables = ["DIVERT_SOCKET=\(daemon.socket)"]
    let refused = try TerminalProcess(Programs.path("ipfw"), ["ipfw", "flush"], variables: variables)
    try refused.answer("Are you sure? [yn] ", with: "n\n")
    #expect(refused.end().status == 0)
    #expect(try daemon.ipfw("list 100") == "00100 count ip from any to any\n")
    let wanted = try TerminalProcess(Programs.path("ipfw"), ["ipfw", "flush"], variables: variables)
    try wanted.answer("Are you sure? [yn] ", with: "maybe\nyes\n")
    let end = wanted.end()
    #expect(end.printed == "Are you sure? [yn] \nFlushed all rules.\n")
    #expect(end.status == 0)
    #expect(try daemon.ipfw("list") == "65535 allow ip from any to any\n")
  }
}
