import Firewall
import Packets
import TestSupport
import Testing

struct RuleParserTests {
  // what is typed, what `ipfw list` of FreeBSD shows
  static let listings = [
    Listing("allow ip from any to any"),
    Listing("accept ip from any to any", "allow ip from any to any"),
    Listing("pass ip from any to any", "allow ip from any to any"),
    Listing("permit ip from any to any", "allow ip from any to any"),
    Listing("deny ip from any to any"),
    Listing("drop all from any to any", "deny ip from any to any"),
    Listing("count tcp from any to any"),
    Listing("divert 2000 icmp from any to any in icmptypes 8"),
    Listing("divert natd ip from any to any", "divert 8668 ip from any to any"),
    Listing("divert 1 ip from any to any"),
    Listing("tee 65534 ip from any to any"),
    Listing("skipto 500 ip from any to any"),
    Listing("set 3 allow in", "allow in"),
    Listing("set 31 prob 0.25 allow in", "prob 0.250000 allow in"),
    Listing("prob 0.5 deny ip from any to any", "prob 0.500000 deny ip from any to any"),
    Listing("prob .25 count in", "prob 0.250000 count in"), Listing("prob 1 deny in", "deny in"),
    Listing("prob 1e-6 deny in", "prob 0.000001 deny in"), Listing("prob 0.9999999 deny in", "deny in"),
    Listing("prob 0.3333333 divert 2000 log in", "prob 0.333333 divert 2000 log in"),
    Listing("allow log tcp from any to any"),
    Listing("allow log logamount 10 tcp from any to any"),
    Listing("deny log logamount 0 in", "deny log in"),
    Listing("count log // text"),
    Listing("skipto 500 log logamount 5 in"),
    Listing("skipto 00500 in", "skipto 500 in"),
    Listing("// hello   world", "count // hello world"),
    Listing("allow // trust"),
    Listing("allow tcp from any to any 80,443 // web servers"),
    Listing("allow ip4 from any to any"),
    Listing("allow ipv4 from any to any", "allow ip4 from any to any"),
    Listing("allow ipv6 from any to any", "allow ip6 from any to any"),
    Listing("allow 6 from any to any", "allow tcp from any to any"),
    Listing("allow TCP from any to any", "allow tcp from any to any"),
    Listing("allow icmp6 from any to any", "allow ipv6-icmp from any to any"),
    Listing("allow 4 from any to any", "allow ipencap from any to any"),
    Listing("allow 41 from any to any", "allow ipv6 from any to any"),
    Listing("allow 200 from any to any"),
    Listing("allow not tcp from any to any"),
    Listing("allow { tcp or udp } from any to any"),
    Listing("allow ( tcp or not udp ) from any to any", "allow { tcp or not udp } from any to any"),
    Listing("allow {tcp or udp } from any to any", "allow { tcp or udp } from any to any"),
    Listing("allow { tcp } from any to any", "allow tcp from any to any"),
    Listing("allow ip from 192.0.2.1 to 192.0.2.2"),
    Listing("allow ip from 192.0.2.1/32 to 192.0.2.2/0", "allow ip from 192.0.2.1 to any"),
    Listing("allow ip from 192.0.2.1/24 to not 10.0.0.0/8", "allow ip from 192.0.2.0/24 to not 10.0.0.0/8"),
    Listing("allow ip from 192.0.2.1:255.255.255.0 to any", "allow ip from 192.0.2.0/24 to any"),
    Listing("allow ip from 10.1.2.3:255.0.255.0 to any", "allow ip from 10.0.2.0:255.0.255.0 to any"),
    Listing("allow ip from 10.1 to 0x7f000001", "allow ip from 10.0.0.1 to 127.0.0.1"),
    Listing("allow ip from { 10.0.0.1 or 10.0.0.2 } to any"),
    Listing(
      "allow ip from 10.0.0.1,10.0.0.0/8,192.0.2.7/24 to any",
      "allow ip from 10.0.0.1,10.0.0.0/8,192.0.2.0/24 to any"),
    Listing("allow ip from not 10.0.0.1,10.0.1.0:255.0.255.0 80 to any"),
    Listing("allow ip from 10.0.0.1,0.0.0.0/0,10.0.0.2 to any", "allow ip from any to any"),
    Listing("allow ip from 10.0.0.1,10.0.0.1/32 to any", "allow ip from 10.0.0.1,10.0.0.1 to any"),
    Listing("allow ip from 1.2.3.0/24{1,2,3,9} to any", "allow ip from 1.2.3.0/24{1-3,9} to any"),
    Listing(
      "allow ip from 10.0.0.0/24{80-70,1} to any".replacing("80-70", with: "70-80"),
      "allow ip from 10.0.0.0/24{1,70-80} to any"),
    Listing("allow ip from 10.0.0.7{2,1,0,255} to any", "allow ip from 10.0.0.0/24{0-2,255} to any"),
    Listing("allow ip from 10.0.0.70/28{64-65,67} to any", "allow ip from 10.0.0.64/28{64,65,67} to any"),
    Listing("allow ip from any to not 10.0.0.128/31{128,129}"),
    Listing("allow ip from 10.0.0.9:255.255.255.0{5} to any", "allow ip from 10.0.0.0/24{5} to any"),
    Listing("allow src-ip 10.0.0.1,10.0.0.2 dst-ip 10.0.0.0/24{1,2}"),
    Listing("allow ip from ::1,2001:db8::7/32 to any", "allow ip from ::1,2001:db8::/32 to any"),
    Listing("allow ip from ::1,::/0 to any", "allow ip from any to any"),
    Listing("allow src-ip6 ::1,::2 dst-ip6 me6"),
    Listing("allow ip from me6 to not me6"),
    Listing("allow ip from any to any src-ip6 me", "allow ip from me6 to any"),
    Listing("allow ip from any to any src-ip6 me6 ip6", "allow ip6 from me6 to any"),
    Listing("allow { tcp or ip6 } from me to me6"),
    Listing("allow ip from me to not me"),
    Listing("allow ip from not any to 10.0.0.1", "allow ip from any to 10.0.0.1"),
    Listing("allow ip6 from me to me6", "allow ip6 from me6 to me6"),
    Listing("allow ip6 from me 80 to any", "allow ip6 from me6 80 to any"),
    Listing("allow ip from 2001:DB8:0::1 to any", "allow ip from 2001:db8::1 to any"),
    Listing("allow ip from 2001:db8::1/32 to ::/0", "allow ip from 2001:db8::/32 to any"),
    Listing("allow ip from 2001:db8::1/128 to ::1", "allow ip from 2001:db8::1 to ::1"),
    Listing("allow ip from 2001:db8::7/ffff::f to any", "allow ip from 2001::7/ffff::f to any"),
    Listing("allow ip6 from 10.0.0.1 to any", "allow ip6 from 10.0.0.1 to any"),
    Listing("allow tcp from any 1024-65535 to any 443,80"),
    Listing("allow tcp from any 80-80 to any 25,25", "allow tcp from any 80 to any 25,25"),
    Listing("allow tcp from any any to any any", "allow tcp from any to any"),
    Listing("allow tcp from any to any http,ftp\\-data", "allow tcp from any to any 80,20"),
    Listing("allow tcp from any to any not 80"),
    Listing("allow tcp from any not 80 to any in"),
    Listing("allow ip from any to any not in", "allow ip from any to any out"),
    Listing("allow ip from any to any !out", "allow ip from any to any in"),
    Listing("allow ip from any to any in via eth0"),
    Listing("allow ip from any to any recv tun* xmit eth[0-3] via wg?"),
    Listing("allow ip from any to any via 192.0.2.1"),
    Listing("allow ip from any to any recv any", "allow ip from any to any"),
    Listing("allow ip from any to any not recv em0"),
    Listing(
      "allow ip from any to any recv abcdefghijklmnopq", "allow ip from any to any recv abcdefghijklmno"),
    Listing("allow icmp from any to any icmptypes 8,0", "allow icmp from any to any icmptypes 0,8"),
    Listing("allow icmp from any to any icmptype 31,31", "allow icmp from any to any icmptypes 31"),
    Listing("allow ip from any to any dst-port 80", "allow ip from any to any 80"),
    Listing("allow ip from any to any src-port 80", "allow ip from any 80 to any"),
    Listing("allow ip from any to any not dst-port 80", "allow ip from any to any not 80"),
    Listing("allow ip from any to any dst-port any", "allow ip from any to any"),
    Listing("allow ip from any to any 80 dst-port 81", "allow ip from any to any dst-port 80 dst-port 81"),
    Listing("allow ip from any to any proto tcp", "allow tcp from any to any"),
    Listing("allow ip from any to any proto all", "allow ip from any to any"),
    Listing("allow ip from any to any src-ip 10.0.0.1", "allow ip from 10.0.0.1 to any"),
    Listing("allow ip from any to any not src-ip me", "allow ip from not me to any"),
    Listing("allow ip from any to any dst-ip6 ::1", "allow ip from any to ::1"),
    Listing("allow ip from any to any ip6", "allow ip6 from any to any"),
    Listing(
      "allow ip from any to any ( proto tcp or proto udp )", "allow { tcp or udp } from any to any"),
    Listing("allow ip from any to any in proto tcp dst-port 22", "allow tcp from any to any 22 in"),
    Listing("allow ip4 from any to any proto tcp"),
    Listing("allow tcp from any to any ip6", "allow ip6 from any to any proto tcp"),
    Listing("allow ip from 10.0.0.1 to any src-ip 10.0.0.2"),
    Listing(
      "allow ip from any to any { src-port 80 | dst-port 80 }",
      "allow ip from any to any { src-port 80 or dst-port 80 }"),
    Listing("allow ip from any to any { recv a or not recv b }"),
    Listing("allow ip from any to any { in out }", "allow ip from any to any in out"),
    Listing("deny src-ip 10.0.0.1"),
    Listing("allow tcp from any to any 80,443 setup"),
    Listing("allow tcp from any to any tcpsetup", "allow tcp from any to any setup"),
    Listing("allow tcp from any to any tcpflags syn,!ack", "allow tcp from any to any setup"),
    Listing("allow tcp from any to any tcpflags !ack,syn", "allow tcp from any to any setup"),
    Listing("allow tcp from any to any not setup"),
    Listing("allow tcp from any to any established"),
    Listing("allow tcp from any to any estab", "allow tcp from any to any established"),
    Listing(
      "allow tcp from any to any tcpflags urg,rst,psh,ack,fin,syn",
      "allow tcp from any to any tcpflags syn,fin,ack,psh,rst,urg"),
    Listing(
      "allow tcp from any to any tcpflgs !rst,fin,!fin", "allow tcp from any to any tcpflags fin,!fin,!rst"),
    Listing("allow { setup or established or tcpflags !syn }"),
    Listing("allow ip from any to any frag", "allow ip from any to any frag offset"),
    Listing("allow ip from any to any fragment in", "allow ip from any to any frag offset in"),
    Listing("allow ip from any to any frags not in", "allow ip from any to any frag offset out"),
    Listing(
      "allow ip from any to any frag offset,!mf,df,rf", "allow ip from any to any frag rf,df,!mf,offset"),
    Listing("allow ip from any to any not frag !df"),
    Listing("allow { frag or frag mf }", "allow { frag offset or frag mf }"),
    Listing("allow proto tcp dst-port 80"),
    Listing("allow { src-ip 10.0.0.1 or dst-ip6 ::1/64 }", "allow { src-ip 10.0.0.1 or dst-ip6 ::/64 }"),
    Listing("allow not in", "allow out"),
    Listing("allow via any", "allow ip from any to any"), Listing("allow via any // text", "allow // text"),
    Listing("allow src-ip any ip6 in", "allow ip6 from any to any in"),
    Listing("allow via any { ip4 or proto udp } in", "allow { ip4 or udp } from any to any in"),
    Listing("allow via any { ip4 or setup }", "allow ip from any to any { ip4 or setup }"),
  ]

  @Test(arguments: listings) func `a rule is listed in its normal form`(_ row: Listing) throws {
    let rule = try Rule(row.typed, names: .builtIn)
    let printer = RulePrinter(names: .builtIn)
    #expect(printer.text(rule) == row.listed, sourceLocation: row.line)
  }

  @Test(arguments: listings) func `what is listed reads back as the same rule`(_ row: Listing) throws {
    // 41 is listed as `ipv6`, which as a protocol means IPv6, as in ipfw
    guard !row.typed.contains("41 ") else { return }
    let rule = try Rule(row.typed, names: .builtIn)
    var printer = RulePrinter(names: .builtIn)
    printer.showsSets = true
    let again = try Rule(printer.text(rule), names: .builtIn)
    #expect(again == rule, sourceLocation: row.line)
  }

  struct Listing: Sendable, CustomTestStringConvertible {
    let typed: String, listed: String, line: SourceLocation
    init(_ typed: String, _ listed: String, line: SourceLocation = #_sourceLocation) {
      (self.typed, self.listed, self.line) = (typed, listed, line)
    }
    init(_ typed: String, line: SourceLocation = #_sourceLocation) { self.init(typed, typed, line: line) }
    var testDescription: String { typed }
  }
}
