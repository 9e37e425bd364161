extension RuleOption {
  /// One row for each option, in the order of ``allCases``.
  package static let table: [Row] = [
    Row(
      .incoming, ["in"], .none(.direction(.incoming)), asks: .direction, of: .incoming, example: "in",
      "A packet that was received."),
    Row(
      .outgoing, ["out"], .none(.direction(.outgoing)), asks: .direction, of: .outgoing, example: "out",
      "A packet that is about to be sent."),
    Row(
      .received, ["recv"], .interface { .received($0) }, asks: .receiveInterface, example: "recv em0",
      "Received on this interface, in either pass."),
    Row(
      .transmitted, ["xmit"], .interface { .transmitted($0) }, asks: .transmitInterface, of: .outgoing,
      example: "xmit em1", "About to be sent on this interface."),
    Row(
      .via, ["via"], .interface { .via($0) }, asks: .passInterface, example: "via em0",
      "The receive interface of packets that come in, the transmit interface of those that go out."),
    Row(
      .icmpTypes, ["icmptypes", "icmptype"], .bitSet { .icmpTypes($0) }, asks: .icmpType, of: .icmp,
      example: "icmptypes 8", "An ICMP message over IPv4 of one of these types, 0 to 31."),
    Row(
      .protocolNumber, ["proto"], .protocolNumber { .protocolNumber($0) }, asks: .protocolNumber,
      listed: .proto, example: "proto tcp", "The protocol above IP."),
    Row(
      .source, ["src-ip"], .addresses4(missing: "missing source IP") { .source($0) }, asks: .source,
      listed: .source, example: "src-ip 192.0.2.1", "An IPv4 source."),
    Row(
      .destination, ["dst-ip"], .addresses4(missing: "missing destination IP") { .destination($0) },
      asks: .destination, listed: .destination, example: "dst-ip 192.0.2.2", "An IPv4 destination."),
    Row(
      .source6, ["src-ip6", "src-ipv6"], .addresses6(missing: "missing source IP6") { .source($0) },
      asks: .source, of: .version6, listed: .source, example: "src-ip6 2001:db8::/64", "An IPv6 source."),
    Row(
      .destination6, ["dst-ip6", "dst-ipv6"],
      .addresses6(missing: "missing destination IP6") { .destination($0) }, asks: .destination,
      of: .version6, listed: .destination, example: "dst-ip6 2001:db8::2", "An IPv6 destination."),
    Row(
      .sourcePort, ["src-port"], .ports(side: "source") { .sourcePort($0) }, asks: .sourcePort, of: .ports,
      listed: .sourcePort, example: "src-port 5", "Source ports."),
    Row(
      .destinationPort, ["dst-port"], .ports(side: "destination") { .destinationPort($0) },
      asks: .destinationPort, of: .ports, listed: .destinationPort, example: "dst-port 7-80",
      "Destination ports."),
    Row(
      .version4, ["ip4", "ipv4"], .none(.version(4)), asks: .version, of: .version4, listed: .proto,
      example: "ip4", "A packet of IPv4."),
    Row(
      .version6, ["ip6", "ipv6"], .none(.version(6)), asks: .version, of: .version6, listed: .proto,
      example: "ip6", "A packet of IPv6."),
    Row(
      .setup, ["setup", "tcpsetup"], .none(.tcpFlags(.setup)), asks: .tcpFlags, of: .tcp, example: "setup",
      "A TCP segment with SYN and without ACK."),
    Row(
      .established, ["established", "estab"], .none(.established), asks: .tcpFlags, of: .tcp,
      example: "established", "A TCP segment, but for one that has SYN and neither ACK nor RST."),
    Row(
      .tcpFlags, ["tcpflags", "tcpflgs"],
      .flags(Grammar.tcpFlags, missing: "missing argument for tcpflags", bare: nil) { .tcpFlags($0) },
      asks: .tcpFlags, of: .tcp, example: "tcpflags fin",
      "Flags of a TCP segment."),
    Row(
      .fragment, ["frag", "frags", "fragment"],
      .flags(Grammar.fragmentFlags, missing: "", bare: .laterFragment) { .fragment($0) }, asks: .fragmentBits,
      example: "frag", "A fragment other than the first; with a list, an IPv4 packet with these bits."),
    Row(
      .diverted, ["diverted"], .none(.diverted(nil)), asks: .reinjection, example: "diverted",
      "A packet that a program has written to a divert socket for this pass, until a tee rule copies it."),
    Row(
      .divertedLoopback, ["diverted-loopback"], .none(.diverted(.incoming)), asks: .reinjection,
      of: .incoming,
      example: "diverted-loopback", "The same, written as incoming."),
    Row(
      .divertedOutput, ["diverted-output"], .none(.diverted(.outgoing)), asks: .reinjection, of: .outgoing,
      example: "diverted-output", "The same, written as outgoing."),
  ]
}
