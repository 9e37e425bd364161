extension VerdictCase {
  /// ipfw(8): diverted, diverted-loopback, diverted-output.
  static let diverted = """
    diverted: a packet that a program has written  100 divert 2000 ip from any to any ; 200 allow ip from any to any diverted  udp 192.0.2.1:5 > 192.0.2.2:7  in em0 after 100  200 allow
    diverted: also on the way out  100 divert 2000 ip from any to any ; 200 allow ip from any to any diverted  udp 192.0.2.2:5 > 192.0.2.1:7  out em0 after 100  200 allow
    diverted: a packet that a program has written, by a rule alone  200 allow ip from any to any diverted  udp 192.0.2.1:5 > 192.0.2.2:7  in em0 after 100  200 allow
    diverted: not a packet from the wire  200 allow ip from any to any diverted  udp 192.0.2.1:5 > 192.0.2.2:7  in em0  65535 deny
    not diverted: a packet from the wire  200 allow ip from any to any not diverted  udp 192.0.2.1:5 > 192.0.2.2:7  in em0  200 allow
    diverted-loopback: it came back as incoming  200 allow ip from any to any diverted-loopback  udp 192.0.2.1:5 > 192.0.2.2:7  in em0 after 100  200 allow
    diverted-loopback: not what came back as outgoing  200 allow ip from any to any diverted-loopback  udp 192.0.2.2:5 > 192.0.2.1:7  out em0 after 100  65535 deny
    diverted-output: it came back as outgoing  200 allow ip from any to any diverted-output  udp 192.0.2.2:5 > 192.0.2.1:7  out em0 after 100  200 allow
    diverted-output: not what came back as incoming  200 allow ip from any to any diverted-output  udp 192.0.2.1:5 > 192.0.2.2:7  in em0 after 100  65535 deny
    diverted-output: not a packet of this host's  200 allow ip from any to any diverted-output  udp 192.0.2.2:5 > 192.0.2.1:7  out em0  65535 deny
    diverted: not the original that a tee lets go on  200 tee 3000 ip from any to any ; 300 deny ip from any to any diverted ; 400 allow ip from any to any  udp 192.0.2.1:5 > 192.0.2.2:7  in em0 after 100  200 tee 3000 ; 400 allow
    diverted: over IPv6  200 allow ip from any to any diverted-loopback  udp [2001:db8::1]:5 > [2001:db8::2]:7  in em0 after 100  200 allow
    diverted, in an or-block  200 allow ip from any to any { diverted-output or dst-port 7 }  udp 192.0.2.1:5 > 192.0.2.2:7  in em0 after 100  200 allow
    """

  /// A divert rule that does not name ICMPv6 leaves neighbour discovery alone.
  static let neighbourDiscovery = """
    a neighbour solicitation is not diverted with all the rest  100 divert 2000 ip from any to any ; 200 allow ip from any to any  icmp6 2001:db8::1 > 2001:db8::2 type 135  in em0  200 allow
    nor is an advertisement on its way out  100 divert 2000 ip from any to any ; 200 allow ip from any to any  icmp6 2001:db8::2 > 2001:db8::1 type 136  out em0  200 allow
    nor a router advertisement  100 divert 2000 ip6 from any to any ; 200 allow ip from any to any  icmp6 2001:db8::1 > 2001:db8::2 type 134  in em0  200 allow
    nor a redirect, by a rule for anything but TCP  100 divert 2000 not tcp from any to any ; 200 allow ip from any to any  icmp6 2001:db8::1 > 2001:db8::2 type 137  in em0  200 allow
    an echo request is  100 divert 2000 ip from any to any ; 200 allow ip from any to any  icmp6 2001:db8::1 > 2001:db8::2 type 128  in em0  100 divert 2000
    the types beside them are  100 divert 2000 ip from any to any ; 200 allow ip from any to any  icmp6 2001:db8::1 > 2001:db8::2 type 132  in em0  100 divert 2000
    on the other side, too  100 divert 2000 ip from any to any ; 200 allow ip from any to any  icmp6 2001:db8::1 > 2001:db8::2 type 138  in em0  100 divert 2000
    a rule that names ICMPv6 diverts it  100 divert 2000 ipv6-icmp from any to any ; 200 allow ip from any to any  icmp6 2001:db8::1 > 2001:db8::2 type 135  in em0  100 divert 2000
    by number, among others  100 divert 2000 { tcp or 58 } from any to any ; 200 allow ip from any to any  icmp6 2001:db8::1 > 2001:db8::2 type 135  in em0  100 divert 2000
    tee copies it like anything  100 tee 3000 ip from any to any ; 200 allow ip from any to any  icmp6 2001:db8::1 > 2001:db8::2 type 135  in em0  100 tee 3000 ; 200 allow
    deny takes it like anything  100 deny ip from any to any  icmp6 2001:db8::1 > 2001:db8::2 type 135  in em0  100 deny
    ICMP type 135 over IPv4 is nothing special  100 divert 2000 ip from any to any ; 200 allow ip from any to any  icmp 192.0.2.1 > 192.0.2.2 type 135  in em0  100 divert 2000
    """
}
