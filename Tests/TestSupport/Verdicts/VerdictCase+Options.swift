/// ipfw(8), RULE OPTIONS: what is asked of the pass, of TCP and ICMP, of fragments; or-blocks and `not`.
extension VerdictCase {
  static let interfaces = """
    in matches incoming packets  100 allow ip from any to any in  udp 192.0.2.1:5 > 192.0.2.2:7  in em0  100 allow
    in matches no outgoing packets  100 allow ip from any to any in  udp 192.0.2.2:5 > 192.0.2.1:7  out em0  65535 deny
    out matches outgoing packets  100 allow ip from any to any out  udp 192.0.2.2:5 > 192.0.2.1:7  out em0  100 allow
    out matches no incoming packets  100 allow ip from any to any out  udp 192.0.2.1:5 > 192.0.2.2:7  in em0  65535 deny
    not in is out  100 allow ip from any to any not in  udp 192.0.2.2:5 > 192.0.2.1:7  out em0  100 allow
    a forwarded packet is out in its second pass  100 allow ip from any to any out  udp 192.0.2.1:5 > 198.51.100.9:7  out em1 recv em0  100 allow
    recv: the interface it was received on  100 allow ip from any to any recv em0  udp 192.0.2.1:5 > 192.0.2.2:7  in em0  100 allow
    recv: another interface  100 allow ip from any to any recv em1  udp 192.0.2.1:5 > 192.0.2.2:7  in em0  65535 deny
    recv can be tested on outgoing packets  100 allow ip from any to any recv em0  udp 192.0.2.1:5 > 198.51.100.9:7  out em1 recv em0  100 allow
    recv is not the transmit interface  100 allow ip from any to any recv em1  udp 192.0.2.1:5 > 198.51.100.9:7  out em1 recv em0  65535 deny
    a packet of the local host has no receive interface  100 allow ip from any to any recv em*  udp 192.0.2.2:5 > 192.0.2.1:7  out em0  65535 deny
    not recv is true of a packet of the local host  100 allow ip from any to any not recv em0  udp 192.0.2.2:5 > 192.0.2.1:7  out em0  100 allow
    xmit: the interface it goes out on  100 allow ip from any to any xmit em1  udp 192.0.2.1:5 > 198.51.100.9:7  out em1 recv em0  100 allow
    xmit: another interface  100 allow ip from any to any xmit em0  udp 192.0.2.1:5 > 198.51.100.9:7  out em1 recv em0  65535 deny
    xmit can only be tested on outgoing packets  100 allow ip from any to any xmit em0  udp 192.0.2.1:5 > 192.0.2.2:7  in em0  65535 deny
    not xmit is true of an incoming packet  100 allow ip from any to any not xmit em0  udp 192.0.2.1:5 > 192.0.2.2:7  in em0  100 allow
    recv and xmit: deny ip from any to any out recv ed0 xmit ed1  100 allow ip from any to any out recv em0 xmit em1  udp 192.0.2.1:5 > 198.51.100.9:7  out em1 recv em0  100 allow
    recv and xmit, the other way round  100 allow ip from any to any out recv em1 xmit em0  udp 192.0.2.1:5 > 198.51.100.9:7  out em1 recv em0  65535 deny
    via: incoming, the receive interface  100 allow ip from any to any via em0  udp 192.0.2.1:5 > 192.0.2.2:7  in em0  100 allow
    via: outgoing, the transmit interface  100 allow ip from any to any via em1  udp 192.0.2.1:5 > 198.51.100.9:7  out em1 recv em0  100 allow
    via: outgoing, not the receive interface  100 allow ip from any to any via em0  udp 192.0.2.1:5 > 198.51.100.9:7  out em1 recv em0  65535 deny
    via any asks nothing  100 allow ip from any to any via any  udp 192.0.2.1:5 > 192.0.2.2:7  in em0  100 allow
    via the loopback  100 allow ip from any to any via lo0  udp 127.0.0.1:5 > 127.0.0.1:7  in lo0  100 allow
    not via  100 allow ip from any to any not via lo0  udp 192.0.2.1:5 > 192.0.2.2:7  in em0  100 allow
    an interface that does not exist  100 allow ip from any to any via em7  udp 192.0.2.1:5 > 192.0.2.2:7  in em0  65535 deny
    not an interface that does not exist  100 allow ip from any to any not via em7  udp 192.0.2.1:5 > 192.0.2.2:7  in em0  100 allow
    a name is no prefix of a name  100 allow ip from any to any via em  udp 192.0.2.1:5 > 192.0.2.2:7  in em0  65535 deny
    a pattern with a star  100 allow ip from any to any via em*  udp 192.0.2.1:5 > 192.0.2.2:7  in em0  100 allow
    a pattern with a star, another name  100 allow ip from any to any via em*  udp 10.8.0.1:5 > 10.8.0.2:7  out tun0  65535 deny
    a pattern with a question mark  100 allow ip from any to any via em?  udp 192.0.2.1:5 > 192.0.2.2:7  in em0  100 allow
    a pattern with a class  100 allow ip from any to any via em[1-9]  udp 192.0.2.1:5 > 192.0.2.2:7  in em0  65535 deny
    the interface that has an address  100 allow ip from any to any via 192.0.2.2  udp 192.0.2.1:5 > 192.0.2.2:7  in em0  100 allow
    the interface that has an address, its second one  100 allow ip from any to any via 192.0.2.3  udp 192.0.2.1:5 > 192.0.2.2:7  in em0  100 allow
    the interface that has an address, another one's  100 allow ip from any to any via 198.51.100.1  udp 192.0.2.1:5 > 192.0.2.2:7  in em0  65535 deny
    an address that no interface has  100 allow ip from any to any recv 192.0.2.99  udp 192.0.2.1:5 > 192.0.2.2:7  in em0  65535 deny
    """

  static let tcpFlags = """
    setup: SYN and no ACK  100 allow tcp from any to any setup  tcp 192.0.2.1:5 > 192.0.2.2:7 setup  in em0  100 allow
    setup: not SYN and ACK  100 allow tcp from any to any setup  tcp 192.0.2.1:5 > 192.0.2.2:7 flags syn,ack  in em0  65535 deny
    setup: not ACK alone  100 allow tcp from any to any setup  tcp 192.0.2.1:5 > 192.0.2.2:7 flags ack  in em0  65535 deny
    setup: other flags do not matter  100 allow tcp from any to any setup  tcp 192.0.2.1:5 > 192.0.2.2:7 flags syn,psh,urg  in em0  100 allow
    setup: over IPv6  100 allow tcp from any to any setup  tcp [2001:db8::1]:5 > [2001:db8::2]:7 setup  in em0  100 allow
    setup: no other protocol  100 allow ip from any to any setup  udp 192.0.2.1:5 > 192.0.2.2:7  in em0  65535 deny
    not setup: any other protocol  100 allow ip from any to any not setup  udp 192.0.2.1:5 > 192.0.2.2:7  in em0  100 allow
    established: ACK  100 allow tcp from any to any established  tcp 192.0.2.1:5 > 192.0.2.2:7 flags ack  in em0  100 allow
    established: SYN and ACK  100 allow tcp from any to any established  tcp 192.0.2.1:5 > 192.0.2.2:7 flags syn,ack  in em0  100 allow
    established: RST  100 allow tcp from any to any established  tcp 192.0.2.1:5 > 192.0.2.2:7 flags rst  in em0  100 allow
    established: SYN and RST  100 allow tcp from any to any established  tcp 192.0.2.1:5 > 192.0.2.2:7 flags syn,rst  in em0  100 allow
    established: not SYN  100 allow tcp from any to any established  tcp 192.0.2.1:5 > 192.0.2.2:7 setup  in em0  65535 deny
    established: not UDP  100 allow ip from any to any established  udp 192.0.2.1:5 > 192.0.2.2:7  in em0  65535 deny
    established: not a later fragment  100 allow tcp from any to any established  tcp 192.0.2.1:5 > 192.0.2.2:7 flags ack offset 1480  in em0  65535 deny
    tcpflags: one that is set  100 allow tcp from any to any tcpflags fin  tcp 192.0.2.1:5 > 192.0.2.2:7 flags fin,ack  in em0  100 allow
    tcpflags: one that is not set  100 allow tcp from any to any tcpflags fin  tcp 192.0.2.1:5 > 192.0.2.2:7 flags ack  in em0  65535 deny
    tcpflags: all of the list must be set  100 allow tcp from any to any tcpflags fin,psh  tcp 192.0.2.1:5 > 192.0.2.2:7 flags fin,ack  in em0  65535 deny
    tcpflags: all of the list are set  100 allow tcp from any to any tcpflags fin,psh  tcp 192.0.2.1:5 > 192.0.2.2:7 flags fin,psh,urg  in em0  100 allow
    tcpflags: absence by !  100 allow tcp from any to any tcpflags syn,!ack  tcp 192.0.2.1:5 > 192.0.2.2:7 setup  in em0  100 allow
    tcpflags: absent, but it is there  100 allow tcp from any to any tcpflags !ack  tcp 192.0.2.1:5 > 192.0.2.2:7 flags ack  in em0  65535 deny
    tcpflags: no flags at all  100 allow tcp from any to any tcpflags !syn,!fin,!ack,!psh,!rst,!urg  tcp 192.0.2.1:5 > 192.0.2.2:7 flags none  in em0  100 allow
    tcpflags: urg  100 allow tcp from any to any tcpflags urg  tcp 192.0.2.1:5 > 192.0.2.2:7 flags urg  in em0  100 allow
    tcpflags: absence asks for TCP, too  100 allow ip from any to any tcpflags !syn  udp 192.0.2.1:5 > 192.0.2.2:7  in em0  65535 deny
    tcpflags: never a fragment with a non-zero offset  100 allow tcp from any to any tcpflags !syn  tcp 192.0.2.1:5 > 192.0.2.2:7 flags ack offset 1480  in em0  65535 deny
    tcpflags: a first fragment has them  100 allow tcp from any to any tcpflags syn  tcp 192.0.2.1:5 > 192.0.2.2:7 setup mf  in em0  100 allow
    tcpflags: behind options of the IP header  100 allow tcp from any to any tcpflags syn  tcp 192.0.2.1:5 > 192.0.2.2:7 setup options 40  in em0  100 allow
    """

  static let icmpTypes = """
    icmptypes: an echo request  100 allow icmp from any to any icmptypes 8  icmp 192.0.2.1 > 192.0.2.2 type 8  in em0  100 allow
    icmptypes: another type  100 allow icmp from any to any icmptypes 8  icmp 192.0.2.1 > 192.0.2.2 type 0  in em0  65535 deny
    icmptypes: a list  100 allow icmp from any to any icmptypes 0,3,11  icmp 192.0.2.1 > 192.0.2.2 type 11  in em0  100 allow
    icmptypes: not in the list  100 allow icmp from any to any icmptypes 0,3,11  icmp 192.0.2.1 > 192.0.2.2 type 8  in em0  65535 deny
    icmptypes: the highest that can be listed  100 allow icmp from any to any icmptypes 31  icmp 192.0.2.1 > 192.0.2.2 type 31  in em0  100 allow
    icmptypes: one that cannot be listed  100 allow icmp from any to any icmptypes 0  icmp 192.0.2.1 > 192.0.2.2 type 32  in em0  65535 deny
    icmptypes: 200 is not 8, whatever its low bits  100 allow icmp from any to any icmptypes 8  icmp 192.0.2.1 > 192.0.2.2 type 200  in em0  65535 deny
    icmptypes: in a rule for ip  100 allow ip from any to any icmptypes 8  icmp 192.0.2.1 > 192.0.2.2  in em0  100 allow
    icmptypes: no other protocol  100 allow ip from any to any icmptypes 8  udp 192.0.2.1:2048 > 192.0.2.2:7  in em0  65535 deny
    icmptypes: no ICMPv6  100 allow ip from any to any icmptypes 1  icmp6 2001:db8::1 > 2001:db8::2 type 1  in em0  65535 deny
    icmptypes: no later fragment  100 allow icmp from any to any icmptypes 8  icmp 192.0.2.1 > 192.0.2.2 type 8 offset 1480  in em0  65535 deny
    icmptypes: a first fragment  100 allow icmp from any to any icmptypes 8  icmp 192.0.2.1 > 192.0.2.2 type 8 mf  in em0  100 allow
    not icmptypes: another type  100 allow icmp from any to any not icmptypes 8  icmp 192.0.2.1 > 192.0.2.2 type 0  in em0  100 allow
    not icmptypes: true of what is no ICMP  100 allow ip from any to any not icmptypes 8  udp 192.0.2.1:5 > 192.0.2.2:7  in em0  100 allow
    """

  static let fragments = """
    frag: a later fragment  100 deny ip from any to any frag ; 200 allow ip from any to any  udp 192.0.2.1:5 > 192.0.2.2:7 offset 1480  in em0  100 deny
    frag: a last fragment and one in the middle alike  100 deny ip from any to any frag ; 200 allow ip from any to any  udp 192.0.2.1:5 > 192.0.2.2:7 offset 1480 mf  in em0  100 deny
    frag: the first fragment is not matched  100 deny ip from any to any frag ; 200 allow ip from any to any  udp 192.0.2.1:5 > 192.0.2.2:7 mf  in em0  200 allow
    frag: a whole packet is not matched  100 deny ip from any to any frag ; 200 allow ip from any to any  udp 192.0.2.1:5 > 192.0.2.2:7  in em0  200 allow
    frag: IPv6, too  100 deny ip from any to any frag ; 200 allow ip from any to any  udp 2001:db8::1 > 2001:db8::2 offset 1480  in em0  100 deny
    frag: the first fragment over IPv6  100 deny ip from any to any frag ; 200 allow ip from any to any  udp 2001:db8::1 > 2001:db8::2 mf  in em0  200 allow
    frag: a Fragment header around a whole packet  100 deny ip from any to any frag ; 200 allow ip from any to any  udp 2001:db8::1 > 2001:db8::2 behind fragment  in em0  200 allow
    not frag  100 allow ip from any to any not frag  udp 192.0.2.1:5 > 192.0.2.2:7 mf  in em0  100 allow
    frag mf: more fragments follow  100 allow ip from any to any frag mf  udp 192.0.2.1:5 > 192.0.2.2:7 mf  in em0  100 allow
    frag mf: the last one  100 allow ip from any to any frag mf  udp 192.0.2.1:5 > 192.0.2.2:7 offset 1480  in em0  65535 deny
    frag df  100 allow ip from any to any frag df  udp 192.0.2.1:5 > 192.0.2.2:7 df  in em0  100 allow
    frag df: not set  100 allow ip from any to any frag df  udp 192.0.2.1:5 > 192.0.2.2:7  in em0  65535 deny
    frag !df  100 allow ip from any to any frag !df  udp 192.0.2.1:5 > 192.0.2.2:7  in em0  100 allow
    frag rf: the reserved bit  100 allow ip from any to any frag rf  udp 192.0.2.1:5 > 192.0.2.2:7 rf  in em0  100 allow
    frag mf,!offset: a first fragment  100 allow ip from any to any frag mf,!offset  udp 192.0.2.1:5 > 192.0.2.2:7 mf  in em0  100 allow
    frag mf,!offset: one in the middle  100 allow ip from any to any frag mf,!offset  udp 192.0.2.1:5 > 192.0.2.2:7 mf offset 1480  in em0  65535 deny
    frag !mf,offset: the last one  100 allow ip from any to any frag !mf,offset  udp 192.0.2.1:5 > 192.0.2.2:7 offset 1480  in em0  100 allow
    frag with flags matches IPv4 packets only  100 allow ip from any to any frag mf  udp 2001:db8::1 > 2001:db8::2 mf  in em0  65535 deny
    ports: a first fragment has them  100 allow udp from any to any 53  udp 192.0.2.1:5 > 192.0.2.2:53 mf  in em0  100 allow
    ports: a non-zero offset will never match  100 allow udp from any to any 53  udp 192.0.2.1:5 > 192.0.2.2:53 offset 1480  in em0  65535 deny
    ports: nor a source port  100 allow udp from any 5 to any  udp 192.0.2.1:5 > 192.0.2.2:53 offset 1480 mf  in em0  65535 deny
    ports: the smallest offset  100 allow udp from any to any 53  udp 192.0.2.1:5 > 192.0.2.2:53 offset 8  in em0  65535 deny
    ports: the greatest offset  100 allow udp from any to any 53  udp 192.0.2.1:5 > 192.0.2.2:53 offset 65528  in em0  65535 deny
    ports: over IPv6, a first fragment has them  100 allow udp from any to any 53  udp [2001:db8::1]:5 > [2001:db8::2]:53 mf  in em0  100 allow
    ports: over IPv6, a later fragment does not  100 allow udp from any to any 53  udp [2001:db8::1]:5 > [2001:db8::2]:53 offset 1480  in em0  65535 deny
    addresses match every fragment  100 allow ip from 192.0.2.1 to 192.0.2.2  udp 192.0.2.1:5 > 192.0.2.2:53 offset 1480  in em0  100 allow
    protocols match every fragment  100 deny tcp from any to any ; 200 allow udp from any to any  udp 192.0.2.1:5 > 192.0.2.2:53 offset 1480  in em0  200 allow
    protocols match every fragment over IPv6  100 deny tcp from any to any ; 200 allow udp from any to any  udp 2001:db8::1 > 2001:db8::2 offset 1480  in em0  200 allow
    """

  static let blocks = """
    an or-block of protocols: the first  100 allow { tcp or udp } from any to any  tcp 192.0.2.1:5 > 192.0.2.2:7  in em0  100 allow
    an or-block of protocols: the second  100 allow { tcp or udp } from any to any  udp 192.0.2.1:5 > 192.0.2.2:7  in em0  100 allow
    an or-block of protocols: neither  100 allow { tcp or udp } from any to any  icmp 192.0.2.1 > 192.0.2.2  in em0  65535 deny
    an or-block with parentheses  100 allow ( tcp or udp ) from any to any  udp 192.0.2.1:5 > 192.0.2.2:7  in em0  100 allow
    an or-block of addresses  100 allow ip from { 10.0.0.1 or 192.0.2.1 } to any  udp 192.0.2.1:5 > 192.0.2.2:7  in em0  100 allow
    an or-block of addresses: none  100 allow ip from { 10.0.0.1 or 192.0.2.1 } to any  udp 192.0.2.9:5 > 192.0.2.2:7  in em0  65535 deny
    an or-block with not: the member that is negated  100 allow ip from { 10.0.0.1 or not 192.0.2.0/24 } to any  udp 172.16.0.1:5 > 192.0.2.2:7  in em0  100 allow
    an or-block with not: the other member  100 allow ip from { 192.0.2.1 or not 192.0.2.0/24 } to any  udp 192.0.2.1:5 > 192.0.2.2:7  in em0  100 allow
    an or-block with not: neither  100 allow ip from { 192.0.2.1 or not 192.0.2.0/24 } to any  udp 192.0.2.9:5 > 192.0.2.2:7  in em0  65535 deny
    an or-block of lists  100 allow ip from { 10.0.0.1,10.0.0.2 or 192.0.2.0/24{1-3} } to any  udp 192.0.2.3:5 > 192.0.2.2:7  in em0  100 allow
    an or-block of both versions: IPv4  100 allow ip from { 192.0.2.1 or 2001:db8::1 } to any  udp 192.0.2.1:5 > 192.0.2.2:7  in em0  100 allow
    an or-block of both versions: IPv6  100 allow ip from { 192.0.2.1 or 2001:db8::1 } to any  udp 2001:db8::1 > 2001:db8::2  in em0  100 allow
    an or-block of options  100 allow ip from any to any { src-port 53 or dst-port 53 }  udp 192.0.2.1:53 > 192.0.2.2:7  in em0  100 allow
    an or-block of options: neither  100 allow ip from any to any { src-port 53 or dst-port 53 }  udp 192.0.2.1:5 > 192.0.2.2:7  in em0  65535 deny
    an or-block of options of several kinds  100 allow ip from any to any { icmptypes 8 or tcpflags syn or dst-port 53 }  udp 192.0.2.1:5 > 192.0.2.2:53  in em0  100 allow
    an or-block of interfaces  100 allow ip from any to any { via lo0 or via em0 }  udp 192.0.2.1:5 > 192.0.2.2:7  in em0  100 allow
    an or-block of directions is always true  100 allow ip from any to any { in or out }  udp 192.0.2.2:5 > 192.0.2.1:7  out em0  100 allow
    a bar is or among options  100 allow ip from any to any { via lo0 | via em0 }  udp 192.0.2.1:5 > 192.0.2.2:7  in em0  100 allow
    ! is not among options  100 allow ip from any to any !established  tcp 192.0.2.1:5 > 192.0.2.2:7 setup  in em0  100 allow
    two or-blocks must both hold  100 allow { tcp or udp } from any to any { dst-port 53 or dst-port 80 }  udp 192.0.2.1:5 > 192.0.2.2:80  in em0  100 allow
    two or-blocks, one does not hold  100 allow { tcp or udp } from any to any { dst-port 53 or dst-port 80 }  sctp 192.0.2.1:5 > 192.0.2.2:80  in em0  65535 deny
    what follows an or-block must hold, too  100 allow ip from any to any { in or out } via em1  udp 192.0.2.1:5 > 192.0.2.2:7  in em0  65535 deny
    a block of one  100 allow { tcp } from { 192.0.2.1 } to any  tcp 192.0.2.1:5 > 192.0.2.2:7  in em0  100 allow
    { not tcp or not udp } holds for all  100 allow { not tcp or not udp } from any to any  tcp 192.0.2.1:5 > 192.0.2.2:7  in em0  100 allow
    all options must match  100 allow tcp from 192.0.2.0/24 to me 80 in recv em0 setup  tcp 192.0.2.1:5 > 192.0.2.2:80 setup  in em0  100 allow
    all options must match, the last one does not  100 allow tcp from 192.0.2.0/24 to me 80 in recv em0 setup  tcp 192.0.2.1:5 > 192.0.2.2:80  in em0  65535 deny
    """
}
