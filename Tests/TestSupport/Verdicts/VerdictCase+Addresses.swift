/// ipfw(8), RULE BODY: protocols, addresses, ports.
extension VerdictCase {
  static let addresses = """
    any matches any IP address  100 allow ip from any to any  udp 192.0.2.1:5 > 192.0.2.2:7  in em0  100 allow
    any matches IPv6, too  100 allow ip from any to any  udp 2001:db8::1 > 2001:db8::2  in em0  100 allow
    an address matches itself  100 allow ip from 192.0.2.1 to any  udp 192.0.2.1:5 > 192.0.2.2:7  in em0  100 allow
    an address matches no other  100 allow ip from 192.0.2.1 to any  udp 192.0.2.9:5 > 192.0.2.2:7  in em0  65535 deny
    from is the source only  100 allow ip from 192.0.2.2 to any  udp 192.0.2.1:5 > 192.0.2.2:7  in em0  65535 deny
    to is the destination only  100 allow ip from any to 192.0.2.1  udp 192.0.2.1:5 > 192.0.2.2:7  in em0  65535 deny
    both must match  100 allow ip from 192.0.2.1 to 192.0.2.2  udp 192.0.2.1:5 > 192.0.2.2:7  in em0  100 allow
    both must match, the destination does not  100 allow ip from 192.0.2.1 to 192.0.2.3  udp 192.0.2.1:5 > 192.0.2.2:7  in em0  65535 deny
    a width of 24: first address  100 allow ip from 10.1.2.0/24 to any  udp 10.1.2.0:5 > 192.0.2.2:7  in em0  100 allow
    a width of 24: last address  100 allow ip from 10.1.2.0/24 to any  udp 10.1.2.255:5 > 192.0.2.2:7  in em0  100 allow
    a width of 24: one behind  100 allow ip from 10.1.2.0/24 to any  udp 10.1.3.0:5 > 192.0.2.2:7  in em0  65535 deny
    a width of 24: one before  100 allow ip from 10.1.2.0/24 to any  udp 10.1.1.255:5 > 192.0.2.2:7  in em0  65535 deny
    host bits behind the width do not count  100 allow ip from 10.1.2.77/24 to any  udp 10.1.2.4:5 > 192.0.2.2:7  in em0  100 allow
    a width of 31  100 allow ip from 10.1.2.4/31 to any  udp 10.1.2.5:5 > 192.0.2.2:7  in em0  100 allow
    a width of 31: the next pair  100 allow ip from 10.1.2.4/31 to any  udp 10.1.2.6:5 > 192.0.2.2:7  in em0  65535 deny
    a width of 32 is the address  100 allow ip from 10.1.2.4/32 to any  udp 10.1.2.5:5 > 192.0.2.2:7  in em0  65535 deny
    a width of 1: the lower half  100 allow ip from 0.0.0.0/1 to any  udp 127.255.0.1:5 > 192.0.2.2:7  in lo0  100 allow
    a width of 1: the upper half  100 allow ip from 0.0.0.0/1 to any  udp 128.0.0.1:5 > 192.0.2.2:7  in em0  65535 deny
    a width of 0 is any  100 allow ip from 10.1.2.3/0 to any  udp 203.0.113.1:5 > 192.0.2.2:7  in em0  100 allow
    a mask: 1.2.3.4:255.0.255.0 will match 1.*.3.*  100 allow ip from 1.2.3.4:255.0.255.0 to any  udp 1.99.3.88:5 > 192.0.2.2:7  in em0  100 allow
    a mask: the bits that count differ  100 allow ip from 1.2.3.4:255.0.255.0 to any  udp 1.2.4.4:5 > 192.0.2.2:7  in em0  65535 deny
    an odd mask asks for odd addresses  100 allow ip from 0.0.0.1:0.0.0.1 to any  udp 10.0.0.3:5 > 192.0.2.2:7  in em0  100 allow
    an odd mask and an even address  100 allow ip from 0.0.0.1:0.0.0.1 to any  udp 10.0.0.4:5 > 192.0.2.2:7  in em0  65535 deny
    a list: the first  100 allow ip from 10.0.0.1,10.0.0.5,172.16.0.0/12 to any  udp 10.0.0.1:5 > 192.0.2.2:7  in em0  100 allow
    a list: the second  100 allow ip from 10.0.0.1,10.0.0.5,172.16.0.0/12 to any  udp 10.0.0.5:5 > 192.0.2.2:7  in em0  100 allow
    a list: a network in it  100 allow ip from 10.0.0.1,10.0.0.5,172.16.0.0/12 to any  udp 172.31.9.9:5 > 192.0.2.2:7  in em0  100 allow
    a list: none  100 allow ip from 10.0.0.1,10.0.0.5,172.16.0.0/12 to any  udp 172.32.0.1:5 > 192.0.2.2:7  in em0  65535 deny
    not a list: none of them  100 allow ip from not 10.0.0.1,10.0.0.5 to any  udp 10.0.0.2:5 > 192.0.2.2:7  in em0  100 allow
    not a list: one of them  100 allow ip from not 10.0.0.1,10.0.0.5 to any  udp 10.0.0.5:5 > 192.0.2.2:7  in em0  65535 deny
    a list with /0 in it is any  100 allow ip from 10.0.0.1,0.0.0.0/0 to any  udp 203.0.113.1:5 > 192.0.2.2:7  in em0  100 allow
    a set of hosts: a member  100 allow ip from 10.1.2.0/24{128,35-55,89} to any  udp 10.1.2.128:5 > 192.0.2.2:7  in em0  100 allow
    a set of hosts: the lower end of a range  100 allow ip from 10.1.2.0/24{128,35-55,89} to any  udp 10.1.2.35:5 > 192.0.2.2:7  in em0  100 allow
    a set of hosts: the upper end of a range  100 allow ip from 10.1.2.0/24{128,35-55,89} to any  udp 10.1.2.55:5 > 192.0.2.2:7  in em0  100 allow
    a set of hosts: behind a range  100 allow ip from 10.1.2.0/24{128,35-55,89} to any  udp 10.1.2.56:5 > 192.0.2.2:7  in em0  65535 deny
    a set of hosts: another network  100 allow ip from 10.1.2.0/24{128,35-55,89} to any  udp 10.1.3.89:5 > 192.0.2.2:7  in em0  65535 deny
    a set without a width is of 256 hosts  100 allow ip from 10.1.2.0{7} to any  udp 10.1.2.7:5 > 192.0.2.2:7  in em0  100 allow
    a set of 2 hosts  100 allow ip from 10.1.2.6/31{7} to any  udp 10.1.2.6:5 > 192.0.2.2:7  in em0  65535 deny
    not a set of hosts  100 allow ip from not 10.1.2.0/24{7} to any  udp 10.1.2.8:5 > 192.0.2.2:7  in em0  100 allow
    not an address  100 allow ip from not 10.1.2.3 to any  udp 10.1.2.8:5 > 192.0.2.2:7  in em0  100 allow
    not an address, which it is  100 allow ip from not 10.1.2.3 to any  udp 10.1.2.3:5 > 192.0.2.2:7  in em0  65535 deny
    an IPv4 address is no IPv6 one  100 allow ip from 192.0.2.1 to any  udp 2001:db8::1 > 2001:db8::2  in em0  65535 deny
    an IPv4 network, however wide, holds no IPv6 address  100 allow ip from 0.0.0.0/1 to any  udp 2001:db8::1 > 2001:db8::2  in em0  65535 deny
    not an IPv4 address: IPv6 is not  100 allow ip from not 192.0.2.1 to any  udp 2001:db8::1 > 2001:db8::2  in em0  100 allow
    me: an address of the interface it comes in on  100 allow ip from any to me  udp 192.0.2.1:5 > 192.0.2.2:7  in em0  100 allow
    me: a further address of that interface  100 allow ip from any to me  udp 192.0.2.1:5 > 192.0.2.3:7  in em0  100 allow
    me: any interface's address  100 allow ip from any to me  udp 192.0.2.1:5 > 198.51.100.1:7  in em0  100 allow
    me: the loopback address  100 allow ip from any to me  udp 127.0.0.1:5 > 127.0.0.1:7  in lo0  100 allow
    me: not another host's address  100 allow ip from any to me  udp 192.0.2.1:5 > 192.0.2.4:7  in em0  65535 deny
    me: not the rest of 127/8  100 allow ip from any to me  udp 127.0.0.1:5 > 127.0.0.2:7  in lo0  65535 deny
    me: as a source  100 allow ip from me to any  udp 198.51.100.1:5 > 198.51.100.9:7  out em1  100 allow
    me: an IPv6 address, too  100 allow ip from any to me  udp 2001:db8::9 > 2001:db8::2  in em0  100 allow
    not me  100 allow ip from not me to any  udp 192.0.2.1:5 > 192.0.2.2:7  in em0  100 allow
    not me, which it is  100 allow ip from any to not me  udp 192.0.2.1:5 > 192.0.2.2:7  in em0  65535 deny
    src-ip as an option  100 allow src-ip 10.0.0.0/8  udp 10.9.9.9:5 > 192.0.2.2:7  in em0  100 allow
    dst-ip as an option  100 allow dst-ip 10.0.0.0/8  udp 10.9.9.9:5 > 192.0.2.2:7  in em0  65535 deny
    not dst-ip as an option  100 allow not dst-ip 10.0.0.0/8  udp 10.9.9.9:5 > 192.0.2.2:7  in em0  100 allow
    from and src-ip must both match  100 allow ip from 10.0.0.0/8 to any src-ip 10.1.0.0/16  udp 10.9.9.9:5 > 192.0.2.2:7  in em0  65535 deny
    """

  static let protocols = """
    ip matches any protocol  100 allow ip from any to any  47 192.0.2.1 > 192.0.2.2  in em0  100 allow
    all is ip  100 allow all from any to any  tcp 192.0.2.1:5 > 192.0.2.2:7  in em0  100 allow
    tcp matches TCP  100 allow tcp from any to any  tcp 192.0.2.1:5 > 192.0.2.2:7  in em0  100 allow
    tcp matches no UDP  100 allow tcp from any to any  udp 192.0.2.1:5 > 192.0.2.2:7  in em0  65535 deny
    udp matches UDP  100 allow udp from any to any  udp 192.0.2.1:5 > 192.0.2.2:7  in em0  100 allow
    udp matches no UDP-Lite  100 allow udp from any to any  udplite 192.0.2.1:5 > 192.0.2.2:7  in em0  65535 deny
    icmp matches ICMP  100 allow icmp from any to any  icmp 192.0.2.1 > 192.0.2.2  in em0  100 allow
    icmp matches no ICMPv6  100 allow icmp from any to any  icmp6 2001:db8::1 > 2001:db8::2  in em0  65535 deny
    icmp6 matches ICMPv6  100 allow icmp6 from any to any  icmp6 2001:db8::1 > 2001:db8::2  in em0  100 allow
    ipv6-icmp is icmp6  100 allow ipv6-icmp from any to any  icmp6 2001:db8::1 > 2001:db8::2  in em0  100 allow
    a protocol by number  100 allow 47 from any to any  gre 192.0.2.1 > 192.0.2.2  in em0  100 allow
    a protocol by name  100 allow gre from any to any  47 192.0.2.1 > 192.0.2.2  in em0  100 allow
    a number that no name stands for  100 allow 253 from any to any  253 192.0.2.1 > 192.0.2.2  in em0  100 allow
    the highest number  100 allow 255 from any to any  255 192.0.2.1 > 192.0.2.2  in em0  100 allow
    protocol 0 is matched by ip  100 allow ip from any to any  0 192.0.2.1 > 192.0.2.2  in em0  100 allow
    protocol 0 is not another one  100 allow 1 from any to any  0 192.0.2.1 > 192.0.2.2  in em0  65535 deny
    ip4 matches IPv4  100 allow ip4 from any to any  udp 192.0.2.1:5 > 192.0.2.2:7  in em0  100 allow
    ip4 matches no IPv6  100 allow ip4 from any to any  udp 2001:db8::1 > 2001:db8::2  in em0  65535 deny
    ip6 matches IPv6  100 allow ip6 from any to any  udp 2001:db8::1 > 2001:db8::2  in em0  100 allow
    ip6 matches no IPv4  100 allow ip6 from any to any  udp 192.0.2.1:5 > 192.0.2.2:7  in em0  65535 deny
    ipv4 is ip4  100 allow ipv4 from any to any  udp 2001:db8::1 > 2001:db8::2  in em0  65535 deny
    ipv6 is ip6  100 allow ipv6 from any to any  udp 2001:db8::1 > 2001:db8::2  in em0  100 allow
    ipv6 is not the protocol of that name  100 allow ipv6 from any to any  41 192.0.2.1 > 192.0.2.2  in em0  65535 deny
    ipv6 in the proto option is the inner protocol  100 allow ip from any to any proto ipv6  41 192.0.2.1 > 192.0.2.2  in em0  100 allow
    ipv6 in the proto option is no version  100 allow ip from any to any proto ipv6  udp 2001:db8::1 > 2001:db8::2  in em0  65535 deny
    ip6 as an option  100 allow udp from any to any ip6  udp 2001:db8::1 > 2001:db8::2  in em0  100 allow
    ip4 as an option  100 allow udp from any to any ip4  udp 2001:db8::1 > 2001:db8::2  in em0  65535 deny
    not tcp  100 allow not tcp from any to any  udp 192.0.2.1:5 > 192.0.2.2:7  in em0  100 allow
    not tcp, which it is  100 allow not tcp from any to any  tcp 192.0.2.1:5 > 192.0.2.2:7  in em0  65535 deny
    not ip6  100 allow not ip6 from any to any  udp 192.0.2.1:5 > 192.0.2.2:7  in em0  100 allow
    proto as an option  100 allow proto tcp  tcp 192.0.2.1:5 > 192.0.2.2:7  in em0  100 allow
    proto as an option of an IPv6 rule  100 allow ip6 from any to any proto tcp  tcp 192.0.2.1:5 > 192.0.2.2:7  in em0  65535 deny
    tcp over IPv6  100 allow tcp from any to any  tcp [2001:db8::1]:5 > [2001:db8::2]:7  in em0  100 allow
    tcp alone asks for no ports: a later fragment is TCP  100 allow tcp from any to any  tcp 192.0.2.1:5 > 192.0.2.2:7 offset 1480  in em0  100 allow
    """

  static let ports = """
    a destination port  100 allow tcp from any to any 80  tcp 192.0.2.1:1024 > 192.0.2.2:80 setup  in em0  100 allow
    another destination port  100 allow tcp from any to any 80  tcp 192.0.2.1:1024 > 192.0.2.2:81 setup  in em0  65535 deny
    the destination port is not the source's  100 allow tcp from any to any 80  tcp 192.0.2.1:80 > 192.0.2.2:1024  in em0  65535 deny
    a source port  100 allow tcp from any 80 to any  tcp 192.0.2.1:80 > 192.0.2.2:1024  in em0  100 allow
    both ports  100 allow tcp from any 80 to any 1024  tcp 192.0.2.1:80 > 192.0.2.2:1024  in em0  100 allow
    both ports, one differs  100 allow tcp from any 80 to any 1025  tcp 192.0.2.1:80 > 192.0.2.2:1024  in em0  65535 deny
    a range: its lower end  100 allow udp from any to any 1000-2000  udp 192.0.2.1:5 > 192.0.2.2:1000  in em0  100 allow
    a range: its upper end  100 allow udp from any to any 1000-2000  udp 192.0.2.1:5 > 192.0.2.2:2000  in em0  100 allow
    a range: below  100 allow udp from any to any 1000-2000  udp 192.0.2.1:5 > 192.0.2.2:999  in em0  65535 deny
    a range: above  100 allow udp from any to any 1000-2000  udp 192.0.2.1:5 > 192.0.2.2:2001  in em0  65535 deny
    a list: the first  100 allow udp from any to any 53,123,500-510  udp 192.0.2.1:5 > 192.0.2.2:53  in em0  100 allow
    a list: a range in it  100 allow udp from any to any 53,123,500-510  udp 192.0.2.1:5 > 192.0.2.2:505  in em0  100 allow
    a list: between  100 allow udp from any to any 53,123,500-510  udp 192.0.2.1:5 > 192.0.2.2:124  in em0  65535 deny
    port 0  100 allow udp from any to any 0  udp 192.0.2.1:5 > 192.0.2.2:0  in em0  100 allow
    port 65535  100 allow udp from any to any 65535  udp 192.0.2.1:5 > 192.0.2.2:65535  in em0  100 allow
    a service by name  100 allow tcp from any to any http  tcp 192.0.2.1:5 > 192.0.2.2:80  in em0  100 allow
    a port named any asks nothing  100 allow udp from any to any any  udp 192.0.2.1:5 > 192.0.2.2:9  in em0  100 allow
    in a rule for ip, ports match TCP  100 allow ip from any to any 53  tcp 192.0.2.1:5 > 192.0.2.2:53  in em0  100 allow
    in a rule for ip, ports match UDP  100 allow ip from any to any 53  udp 192.0.2.1:5 > 192.0.2.2:53  in em0  100 allow
    in a rule for ip, ports match SCTP  100 allow ip from any to any 53  sctp 192.0.2.1:5 > 192.0.2.2:53  in em0  100 allow
    in a rule for ip, ports match UDP-Lite  100 allow ip from any to any 53  udplite 192.0.2.1:5 > 192.0.2.2:53  in em0  100 allow
    a protocol whose ports are not supported  100 allow ip from any to any 53  dccp 192.0.2.1:5 > 192.0.2.2:53  in em0  65535 deny
    a protocol without ports  100 allow ip from any to any 0-65535  gre 192.0.2.1 > 192.0.2.2  in em0  65535 deny
    ICMP has no ports  100 allow ip from any to any 0-65535  icmp 192.0.2.1 > 192.0.2.2  in em0  65535 deny
    not a port  100 allow udp from any to any not 53  udp 192.0.2.1:5 > 192.0.2.2:54  in em0  100 allow
    not a port, which it is  100 allow udp from any to any not 53  udp 192.0.2.1:5 > 192.0.2.2:53  in em0  65535 deny
    not a port: true of what has none  100 allow ip from any to any not 53  icmp 192.0.2.1 > 192.0.2.2  in em0  100 allow
    dst-port as an option  100 allow dst-port 53  udp 192.0.2.1:5 > 192.0.2.2:53  in em0  100 allow
    src-port as an option  100 allow src-port 53  udp 192.0.2.1:5 > 192.0.2.2:53  in em0  65535 deny
    two tests of one port must both match  100 allow udp from any to any 50-60 dst-port 55-70  udp 192.0.2.1:5 > 192.0.2.2:53  in em0  65535 deny
    ports over IPv6  100 allow udp from any to any 53  udp [2001:db8::1]:5 > [2001:db8::2]:53  in em0  100 allow
    a port is read in network order  100 allow udp from any to any 258  udp 192.0.2.1:5 > 192.0.2.2:513  in em0  65535 deny
    """
}
