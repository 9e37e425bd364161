/// ipfw(8), RULE ACTIONS, SETS OF RULES and FINE POINTS; divert(4), WRITING PACKETS.
extension VerdictCase {
  static let version6 = """
    an IPv6 address  100 allow ip6 from 2001:db8::1 to any  udp 2001:db8::1 > 2001:db8::2  in em0  100 allow
    another IPv6 address  100 allow ip6 from 2001:db8::1 to any  udp 2001:db8::9 > 2001:db8::2  in em0  65535 deny
    an IPv6 network  100 allow ip6 from any to 2001:db8::/32  udp 2001:db8:ffff::1 > 2001:db8:1:2:3:4:5:6  in em0  100 allow
    an IPv6 network: one behind  100 allow ip6 from any to 2001:db8::/32  udp 2001:db8::1 > 2001:db9::  in em0  65535 deny
    a width that ends within a byte  100 allow ip6 from fe80::/10 to any  udp febf::1 > 2001:db8::2  in em0  100 allow
    a width that ends within a byte: one behind  100 allow ip6 from fe80::/10 to any  udp fec0::1 > 2001:db8::2  in em0  65535 deny
    a width of 64: the lower half does not count  100 allow ip6 from 2001:db8::/64 to any  udp 2001:db8::ffff:ffff:ffff:ffff > 2001:db8::2  in em0  100 allow
    a width of 65: its first bit does  100 allow ip6 from 2001:db8::/65 to any  udp 2001:db8::8000:0:0:0 > 2001:db8::2  in em0  65535 deny
    a width of 127  100 allow ip6 from 2001:db8::4/127 to any  udp 2001:db8::5 > 2001:db8::2  in em0  100 allow
    a width of 128  100 allow ip6 from 2001:db8::4/128 to any  udp 2001:db8::5 > 2001:db8::2  in em0  65535 deny
    a width of 0 is any IPv6 address  100 allow ip6 from ::/0 to any  udp 2001:db8::5 > 2001:db8::2  in em0  100 allow
    a list of IPv6 addresses  100 allow ip6 from 2001:db8::1,2001:db8::5,fe80::/10 to any  udp fe80::5 > 2001:db8::2  in em0  100 allow
    a list of IPv6 addresses: none  100 allow ip6 from 2001:db8::1,2001:db8::5,fe80::/10 to any  udp 2001:db8::6 > 2001:db8::2  in em0  65535 deny
    an IPv6 address is no IPv4 one  100 allow ip from ::/1 to any  udp 0.0.0.0:5 > 192.0.2.2:7  in em0  65535 deny
    a mapped address is no IPv4 one  100 allow ip from ::ffff:192.0.2.1 to any  udp 192.0.2.1:5 > 192.0.2.2:7  in em0  65535 deny
    me6: an address of any interface  100 allow ip from any to me6  udp 2001:db8::9 > 2001:db8:1::1  in em0  100 allow
    me6: not another host's  100 allow ip from any to me6  udp 2001:db8::9 > 2001:db8::3  in em0  65535 deny
    me6: no IPv4 address  100 allow ip from any to me6  udp 192.0.2.1:5 > 192.0.2.2:7  in em0  65535 deny
    me in a rule for ip6  100 allow ip6 from any to me  udp 2001:db8::9 > 2001:db8::2  in em0  100 allow
    not me6  100 allow ip6 from not me6 to me6  udp 2001:db8::9 > 2001:db8::2  in em0  100 allow
    src-ip6 as an option  100 allow src-ip6 2001:db8::/32  udp 2001:db8::9 > 2001:db8::2  in em0  100 allow
    dst-ip6 as an option  100 allow dst-ip6 2001:db9::/32  udp 2001:db8::9 > 2001:db8::2  in em0  65535 deny
    the protocol lies behind the extension headers  100 allow udp from any to any  udp 2001:db8::1 > 2001:db8::2 behind hop-by-hop,routing,destination  in em0  100 allow
    an extension header is no protocol  100 allow 60 from any to any  udp 2001:db8::1 > 2001:db8::2 behind destination  in em0  65535 deny
    ports behind an extension header  100 allow udp from any to any 53  udp [2001:db8::1]:5 > [2001:db8::2]:53 behind hop-by-hop  in em0  100 allow
    ports behind an Authentication header  100 allow udp from any to any 53  udp [2001:db8::1]:5 > [2001:db8::2]:53 behind ah  in em0  100 allow
    ports behind a Fragment header and another one  100 allow udp from any to any 53  udp [2001:db8::1]:5 > [2001:db8::2]:53 behind hop-by-hop,fragment,destination  in em0  100 allow
    TCP flags behind extension headers  100 allow tcp from any to any setup  tcp [2001:db8::1]:5 > [2001:db8::2]:53 setup behind hop-by-hop,destination,ah  in em0  100 allow
    nothing is seen behind ESP  100 allow udp from any to any ; 200 allow esp from any to any  esp 2001:db8::1 > 2001:db8::2  in em0  200 allow
    no next header is a protocol like others  100 allow 59 from any to any  nonxt 2001:db8::1 > 2001:db8::2 holds 0  in em0  100 allow
    an unknown next header is the protocol  100 allow 200 from any to any  200 2001:db8::1 > 2001:db8::2  in em0  100 allow
    """

  static let actions = """
    the first rule that matches decides  100 allow ip from any to any ; 200 deny ip from any to any  udp 192.0.2.1:5 > 192.0.2.2:7  in em0  100 allow
    a rule that does not match is passed over  100 deny tcp from any to any ; 200 allow ip from any to any  udp 192.0.2.1:5 > 192.0.2.2:7  in em0  200 allow
    rules are tried by number, not as they were typed  200 deny ip from any to any ; 100 allow ip from any to any  udp 192.0.2.1:5 > 192.0.2.2:7  in em0  100 allow
    rules of one number are tried in the order of insertion  100 allow ip from any to any ; 100 deny ip from any to any  udp 192.0.2.1:5 > 192.0.2.2:7  in em0  100 allow
    no number: behind the last rule  500 count ip from any to any ; allow ip from any to any  udp 192.0.2.1:5 > 192.0.2.2:7  in em0  500 count ; 600 allow
    what no rule matches meets the default rule  100 allow tcp from any to any  udp 192.0.2.1:5 > 192.0.2.2:7  in em0  65535 deny
    accept is allow  100 accept ip from any to any  udp 192.0.2.1:5 > 192.0.2.2:7  in em0  100 allow
    pass is allow  100 pass ip from any to any  udp 192.0.2.1:5 > 192.0.2.2:7  in em0  100 allow
    permit is allow  100 permit ip from any to any  udp 192.0.2.1:5 > 192.0.2.2:7  in em0  100 allow
    drop is deny  100 drop ip from any to any  udp 192.0.2.1:5 > 192.0.2.2:7  in em0  100 deny
    count: the search continues with the next rule  100 count ip from any to any ; 200 allow ip from any to any  udp 192.0.2.1:5 > 192.0.2.2:7  in em0  100 count ; 200 allow
    count, which does not match, counts nothing  100 count tcp from any to any ; 200 allow ip from any to any  udp 192.0.2.1:5 > 192.0.2.2:7  in em0  200 allow
    a comment alone counts  100 // why ; 200 allow ip from any to any  udp 192.0.2.1:5 > 192.0.2.2:7  in em0  100 count ; 200 allow
    a comment changes nothing  100 allow tcp from any to any // udp, too  udp 192.0.2.1:5 > 192.0.2.2:7  in em0  65535 deny
    log does not end the search  100 count log ip from any to any ; 200 allow log ip from any to any  udp 192.0.2.1:5 > 192.0.2.2:7  in em0  100 count ; 200 allow
    divert: to the port  100 divert 2000 ip from any to any ; 200 allow ip from any to any  udp 192.0.2.1:5 > 192.0.2.2:7  in em0  100 divert 2000
    divert: the search terminates  100 divert 2000 ip from any to any ; 100 divert 2001 ip from any to any  udp 192.0.2.1:5 > 192.0.2.2:7  in em0  100 divert 2000
    divert: outgoing  100 divert 2001 ip from any to any out  udp 192.0.2.2:5 > 192.0.2.1:7  out em0  100 divert 2001
    divert: forwarded  100 divert 2001 ip from any to any out recv em0  udp 192.0.2.1:5 > 198.51.100.9:7  out em1 recv em0  100 divert 2001
    divert: what does not match goes on  100 divert 2000 icmp from any to any ; 200 allow ip from any to any  udp 192.0.2.1:5 > 192.0.2.2:7  in em0  200 allow
    divert: an IPv6 packet  100 divert 2002 ip from any to any  udp 2001:db8::1 > 2001:db8::2  in em0  100 divert 2002
    divert: a fragment is diverted by its own fields  100 divert 2000 udp from any to any 53 ; 200 allow ip from any to any  udp 192.0.2.1:5 > 192.0.2.2:53 offset 1480  out em0  200 allow
    tee: the search continues at the next rule  100 tee 3000 ip from any to any ; 200 allow ip from any to any  udp 192.0.2.1:5 > 192.0.2.2:7  in em0  100 tee 3000 ; 200 allow
    tee: at a rule of the same number  100 tee 3000 ip from any to any ; 100 deny ip from any to any ; 200 allow ip from any to any  udp 192.0.2.1:5 > 192.0.2.2:7  in em0  100 tee 3000 ; 100 deny
    tee: twice  100 tee 3000 ip from any to any ; 200 tee 3001 ip from any to any  udp 192.0.2.1:5 > 192.0.2.2:7  in em0  100 tee 3000 ; 200 tee 3001 ; 65535 deny
    tee, then divert  100 tee 3000 ip from any to any ; 200 divert 2000 ip from any to any  udp 192.0.2.1:5 > 192.0.2.2:7  in em0  100 tee 3000 ; 200 divert 2000
    tee: what does not match is not copied  100 tee 3000 tcp from any to any ; 200 allow ip from any to any  udp 192.0.2.1:5 > 192.0.2.2:7  in em0  200 allow
    skipto: rules numbered less are skipped  100 skipto 300 ip from any to any ; 200 deny ip from any to any ; 300 allow ip from any to any  udp 192.0.2.1:5 > 192.0.2.2:7  in em0  100 skipto 300 ; 300 allow
    skipto: the first rule numbered so or higher  100 skipto 250 ip from any to any ; 200 deny ip from any to any ; 300 allow ip from any to any  udp 192.0.2.1:5 > 192.0.2.2:7  in em0  100 skipto 250 ; 300 allow
    skipto: to the first of several of that number  100 skipto 300 ip from any to any ; 300 allow ip from any to any ; 300 deny ip from any to any  udp 192.0.2.1:5 > 192.0.2.2:7  in em0  100 skipto 300 ; 300 allow
    skipto: a rule that does not match skips nothing  100 skipto 300 tcp from any to any ; 200 deny ip from any to any ; 300 allow ip from any to any  udp 192.0.2.1:5 > 192.0.2.2:7  in em0  200 deny
    skipto: beyond the last rule  100 skipto 60000 ip from any to any ; 200 allow ip from any to any  udp 192.0.2.1:5 > 192.0.2.2:7  in em0  100 skipto 60000 ; 65535 deny
    skipto: never backwards  100 count ip from any to any ; 200 skipto 100 ip from any to any ; 300 allow ip from any to any  udp 192.0.2.1:5 > 192.0.2.2:7  in em0  100 count ; 200 skipto 100 ; 300 allow
    skipto: not to itself, nor to others of its number  200 skipto 200 ip from any to any ; 200 deny ip from any to any ; 300 allow ip from any to any  udp 192.0.2.1:5 > 192.0.2.2:7  in em0  200 skipto 200 ; 300 allow
    skipto: one after the other  100 skipto 200 ip from any to any ; 150 deny ip from any to any ; 200 skipto 300 ip from any to any ; 250 deny ip from any to any ; 300 allow ip from any to any  udp 192.0.2.1:5 > 192.0.2.2:7  in em0  100 skipto 200 ; 200 skipto 300 ; 300 allow
    skipto: over a divert rule  100 skipto 300 ip from any to any ; 200 divert 2000 ip from any to any ; 300 allow ip from any to any  udp 192.0.2.1:5 > 192.0.2.2:7  in em0  100 skipto 300 ; 300 allow
    skipto: a branch by direction  100 skipto 1000 ip from any to any in ; 200 skipto 2000 ip from any to any out ; 1000 divert 2000 ip from any to any ; 2000 divert 2001 ip from any to any  udp 192.0.2.2:5 > 192.0.2.1:7  out em0  200 skipto 2000 ; 2000 divert 2001
    prob 1 always matches  100 prob 1 allow ip from any to any  udp 192.0.2.1:5 > 192.0.2.2:7  in em0  100 allow
    prob does not make a rule match  100 prob 0.999999 allow tcp from any to any  udp 192.0.2.1:5 > 192.0.2.2:7  in em0  65535 deny
    """

  static let sets = """
    a rule of an enabled set  100 set 5 allow ip from any to any  udp 192.0.2.1:5 > 192.0.2.2:7  in em0  100 allow
    a rule of a disabled set behaves as if it were not there  100 set 5 allow ip from any to any ; set disable 5  udp 192.0.2.1:5 > 192.0.2.2:7  in em0  65535 deny
    set 0 is that of rules without one  100 allow ip from any to any ; set disable 0  udp 192.0.2.1:5 > 192.0.2.2:7  in em0  65535 deny
    a set enabled again  100 set 5 allow ip from any to any ; set disable 5 ; set enable 5  udp 192.0.2.1:5 > 192.0.2.2:7  in em0  100 allow
    several sets at once  100 set 1 deny ip from any to any ; 200 set 2 deny ip from any to any ; 300 allow ip from any to any ; set disable 1 2  udp 192.0.2.1:5 > 192.0.2.2:7  in em0  300 allow
    one set of two  100 set 1 deny ip from any to any ; 200 set 2 allow ip from any to any ; set disable 1 enable 2  udp 192.0.2.1:5 > 192.0.2.2:7  in em0  200 allow
    set 31 cannot be disabled  100 set 31 allow ip from any to any ; set disable 31  udp 192.0.2.1:5 > 192.0.2.2:7  in em0  100 allow
    rules of several sets are tried by number  200 set 1 deny ip from any to any ; 100 set 7 allow ip from any to any  udp 192.0.2.1:5 > 192.0.2.2:7  in em0  100 allow
    swapped sets  100 set 1 deny ip from any to any ; 200 set 2 allow ip from any to any ; set disable 2 ; set swap 1 2  udp 192.0.2.1:5 > 192.0.2.2:7  in em0  200 allow
    a rule moved into a disabled set  100 deny ip from any to any ; 200 allow ip from any to any ; set disable 3 ; set move rule 100 to 3  udp 192.0.2.1:5 > 192.0.2.2:7  in em0  200 allow
    skipto over a disabled rule  100 skipto 200 ip from any to any ; 200 set 4 deny ip from any to any ; 300 allow ip from any to any ; set disable 4  udp 192.0.2.1:5 > 192.0.2.2:7  in em0  100 skipto 200 ; 300 allow
    a disabled skipto  100 set 4 skipto 300 ip from any to any ; 200 allow ip from any to any ; 300 deny ip from any to any ; set disable 4  udp 192.0.2.1:5 > 192.0.2.2:7  in em0  200 allow
    a disabled tee  100 set 4 tee 3000 ip from any to any ; 200 allow ip from any to any ; set disable 4  udp 192.0.2.1:5 > 192.0.2.2:7  in em0  200 allow
    a deleted rule  100 deny ip from any to any ; 200 allow ip from any to any ; delete 100  udp 192.0.2.1:5 > 192.0.2.2:7  in em0  200 allow
    a deleted set  100 set 6 deny ip from any to any ; 200 allow ip from any to any ; delete set 6  udp 192.0.2.1:5 > 192.0.2.2:7  in em0  200 allow
    """

  static let restarts = """
    written back, a packet re-enters at the rule number following the tag  100 divert 2000 ip from any to any ; 200 allow ip from any to any  udp 192.0.2.1:5 > 192.0.2.2:7  in em0 after 100  200 allow
    not at the next rule, if there are several of the number  100 divert 2000 ip from any to any ; 100 deny ip from any to any ; 200 allow ip from any to any  udp 192.0.2.1:5 > 192.0.2.2:7  in em0 after 100  200 allow
    as outgoing  100 divert 2000 ip from any to any ; 200 divert 2001 ip from any to any  udp 192.0.2.2:5 > 192.0.2.1:7  out em0 after 100  200 divert 2001
    as outgoing, received on an interface  100 divert 2000 ip from any to any ; 200 allow ip from any to any out recv em0  udp 192.0.2.1:5 > 198.51.100.9:7  out em1 recv em0 after 100  200 allow
    behind the last rule  100 divert 2000 ip from any to any  udp 192.0.2.1:5 > 192.0.2.2:7  in em0 after 100  65535 deny
    with a number that no rule has  100 deny ip from any to any ; 200 allow ip from any to any  udp 192.0.2.1:5 > 192.0.2.2:7  in em0 after 150  200 allow
    with the number before a rule's  100 deny ip from any to any ; 200 allow ip from any to any  udp 192.0.2.1:5 > 192.0.2.2:7  in em0 after 199  200 allow
    with a lower tag than the diverting rule: it loops  100 count ip from any to any ; 200 divert 2000 ip from any to any  udp 192.0.2.1:5 > 192.0.2.2:7  in em0 after 100  200 divert 2000
    with 65534: the default rule  100 allow ip from any to any  udp 192.0.2.1:5 > 192.0.2.2:7  in em0 after 65534  65535 deny
    with 65535: the default rule  100 allow ip from any to any  udp 192.0.2.1:5 > 192.0.2.2:7  in em0 after 65535  65535 deny
    a rule passed over by the restart does not count  100 count ip from any to any ; 200 divert 2000 ip from any to any ; 300 count ip from any to any ; 400 allow ip from any to any  udp 192.0.2.1:5 > 192.0.2.2:7  in em0 after 200  300 count ; 400 allow
    rules behind the tag ask as before  100 divert 2000 ip from any to any ; 200 deny tcp from any to any ; 300 allow udp from any to me 7  udp 192.0.2.1:5 > 192.0.2.2:7  in em0 after 100  300 allow
    a disabled rule behind the tag is skipped  100 divert 2000 ip from any to any ; 200 set 3 deny ip from any to any ; 300 allow ip from any to any ; set disable 3  udp 192.0.2.1:5 > 192.0.2.2:7  in em0 after 100  300 allow
    into rules that a skipto would have skipped  100 skipto 400 ip from any to any ; 200 divert 2000 ip from any to any ; 300 allow ip from any to any ; 400 deny ip from any to any  udp 192.0.2.1:5 > 192.0.2.2:7  in em0 after 200  300 allow
    a tee behind the tag  100 divert 2000 ip from any to any ; 200 tee 3000 ip from any to any ; 300 allow ip from any to any  udp 192.0.2.1:5 > 192.0.2.2:7  in em0 after 100  200 tee 3000 ; 300 allow
    diverted a second time, by another rule  100 divert 2000 ip from any to any ; 200 divert 2003 ip from any to any  udp 2001:db8::1 > 2001:db8::2  in em0 after 100  200 divert 2003
    """

  static let oddPackets = """
    TCP packets are dropped if they do not contain 20 bytes of TCP header  100 allow ip from any to any  tcp 192.0.2.1:5 > 192.0.2.2:7 holds 19  in em0  unread
    TCP packets with 20 bytes of TCP header  100 allow ip from any to any  tcp 192.0.2.1:5 > 192.0.2.2:7 holds 20  in em0  100 allow
    TCP packets without any TCP header  100 allow ip from any to any  tcp 192.0.2.1:5 > 192.0.2.2:7 holds 0  in em0  unread
    a first fragment of TCP with too little of a header  100 allow ip from any to any  tcp 192.0.2.1:5 > 192.0.2.2:7 holds 16 mf  in em0  unread
    a later fragment of TCP needs no header  100 allow ip from any to any  tcp 192.0.2.1:5 > 192.0.2.2:7 holds 8 offset 1480  in em0  100 allow
    UDP packets are dropped if they do not contain a full 8 byte UDP header  100 allow ip from any to any  udp 192.0.2.1:5 > 192.0.2.2:7 holds 7  in em0  unread
    UDP packets with 8 bytes  100 allow ip from any to any  udp 192.0.2.1:5 > 192.0.2.2:7 holds 8  in em0  100 allow
    a later fragment of UDP needs no header  100 allow ip from any to any  udp 192.0.2.1:5 > 192.0.2.2:7 holds 1 offset 1480  in em0  100 allow
    UDP-Lite packets likewise  100 allow ip from any to any  udplite 192.0.2.1:5 > 192.0.2.2:7 holds 7  in em0  unread
    SCTP packets without the common header  100 allow ip from any to any  sctp 192.0.2.1:5 > 192.0.2.2:7 holds 11  in em0  unread
    SCTP packets with the common header  100 allow ip from any to any  sctp 192.0.2.1:5 > 192.0.2.2:7 holds 12  in em0  100 allow
    ICMP packets are dropped if they do not contain at least 4 bytes of ICMP header  100 allow ip from any to any  icmp 192.0.2.1 > 192.0.2.2 holds 3  in em0  unread
    ICMP packets with type, code and checksum  100 allow icmp from any to any icmptypes 8  icmp 192.0.2.1 > 192.0.2.2 holds 4  in em0  100 allow
    over IPv6, too little TCP  100 allow ip from any to any  tcp 2001:db8::1 > 2001:db8::2 holds 19  in em0  unread
    over IPv6, too little UDP  100 allow ip from any to any  udp 2001:db8::1 > 2001:db8::2 holds 7  in em0  unread
    over IPv6, too little ICMPv6  100 allow ip from any to any  icmp6 2001:db8::1 > 2001:db8::2 holds 3  in em0  unread
    over IPv6, too little UDP behind an extension header  100 allow ip from any to any  udp 2001:db8::1 > 2001:db8::2 holds 7 behind destination  in em0  unread
    over IPv6, an extension header that goes beyond the packet  100 allow ip from any to any  udp 2001:db8::1 > 2001:db8::2 behind hop-by-hop says 6  in em0  unread
    over IPv6, a Fragment header cut short  100 allow ip from any to any  udp 2001:db8::1 > 2001:db8::2 behind fragment says 7  in em0  unread
    a protocol that ipfw does not look into may be empty  100 allow ip from any to any  gre 192.0.2.1 > 192.0.2.2 holds 0  in em0  100 allow
    a TCP fragment with an offset of one is dropped, whatever the rules  100 allow ip from any to any  tcp 192.0.2.1:5 > 192.0.2.2:7 offset 8  in em0  unread
    a TCP fragment with an offset of one, with more behind it  100 allow ip from any to any  tcp 192.0.2.1:5 > 192.0.2.2:7 offset 8 mf  in em0  unread
    a TCP fragment with an offset of two  100 allow ip from any to any  tcp 192.0.2.1:5 > 192.0.2.2:7 offset 16  in em0  100 allow
    a UDP fragment with an offset of one  100 allow ip from any to any  udp 192.0.2.1:5 > 192.0.2.2:7 offset 8  in em0  100 allow
    over IPv6, a TCP fragment with an offset of one  100 allow ip from any to any  tcp 2001:db8::1 > 2001:db8::2 offset 8  in em0  unread
    a header that cannot be read is dropped, not even diverted  100 divert 2000 ip from any to any  udp 192.0.2.1:5 > 192.0.2.2:7 holds 3  in em0  unread
    outgoing, too  100 allow ip from any to any  udp 192.0.2.2:5 > 192.0.2.1:7 holds 3  out em0  unread
    written back, too  100 allow ip from any to any ; 200 allow ip from any to any  udp 192.0.2.1:5 > 192.0.2.2:7 holds 3  in em0 after 100  unread
    no IP version at all  100 allow ip from any to any  udp 192.0.2.1:5 > 192.0.2.2:7 version 5  in em0  unread
    a header length below 20 bytes  100 allow ip from any to any  udp 192.0.2.1:5 > 192.0.2.2:7 ihl 4  in em0  unread
    a header length beyond the packet  100 allow ip from any to any  udp 192.0.2.1:5 > 192.0.2.2:7 ihl 15  in em0  unread
    a total length below the header's  100 allow ip from any to any  udp 192.0.2.1:5 > 192.0.2.2:7 says 19  in em0  unread
    a total length beyond what has come  100 allow ip from any to any  udp 192.0.2.1:5 > 192.0.2.2:7 holds 60 cut 1  in em0  unread
    an IPv6 length beyond what has come  100 allow ip from any to any  udp 2001:db8::1 > 2001:db8::2 holds 60 cut 1  in em0  unread
    bytes behind the packet do not count  100 allow udp from any to any 7  udp 192.0.2.1:5 > 192.0.2.2:7 padded 18  in em0  100 allow
    bytes behind the packet are no header  100 allow ip from any to any  udp 192.0.2.1:5 > 192.0.2.2:7 says 27  in em0  unread
    bytes behind an IPv6 packet do not count  100 allow udp from any to any 7  udp [2001:db8::1]:5 > [2001:db8::2]:7 padded 18  in em0  100 allow
    options in the IP header: ports are found behind them  100 allow udp from any to any 7  udp 192.0.2.1:5 > 192.0.2.2:7 options 4  in em0  100 allow
    as many options as there can be  100 allow udp from any 5 to any 7  udp 192.0.2.1:5 > 192.0.2.2:7 options 40  in em0  100 allow
    options and an ICMP type  100 allow icmp from any to any icmptypes 0  icmp 192.0.2.1 > 192.0.2.2 type 0 options 8  in em0  100 allow
    options that leave too little for UDP  100 allow ip from any to any  udp 192.0.2.1:5 > 192.0.2.2:7 ihl 6  in em0  unread
    a packet that is only a header, of another protocol  100 allow ip from any to any  253 192.0.2.1 > 192.0.2.2 holds 0  in em0  100 allow
    a packet from nowhere to everywhere  100 allow udp from 0.0.0.0 68 to 255.255.255.255 67  udp 0.0.0.0:68 > 255.255.255.255:67  in em0  100 allow
    a packet to a group  100 allow ip from any to 224.0.0.0/4  udp 192.0.2.1:5 > 224.0.0.251:5353  in em0  100 allow
    """
}
