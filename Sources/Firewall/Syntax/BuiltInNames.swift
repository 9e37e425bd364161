/// IANA protocol numbers, with the names and aliases of FreeBSD's /etc/protocols.
let builtInProtocols: [(name: String, number: UInt8, aliases: [String])] = [
  ("icmp", 1, ["ICMP"]), ("igmp", 2, ["IGMP"]), ("ggp", 3, ["GGP"]), ("ipencap", 4, ["IP-ENCAP"]),
  ("st", 5, ["ST"]), ("tcp", 6, ["TCP"]), ("cbt", 7, ["CBT"]), ("egp", 8, ["EGP"]), ("igp", 9, ["IGP"]),
  ("pup", 12, ["PUP"]), ("chaos", 16, ["CHAOS"]), ("udp", 17, ["UDP"]), ("hmp", 20, ["HMP"]),
  ("xns-idp", 22, ["XNS-IDP"]), ("rdp", 27, ["RDP"]), ("iso-tp4", 29, ["ISO-TP4"]), ("dccp", 33, ["DCCP"]),
  ("xtp", 36, ["XTP"]), ("ddp", 37, ["DDP"]), ("idpr-cmtp", 38, ["IDPR-CMTP"]), ("ipv6", 41, ["IPV6"]),
  ("sdrp", 42, ["SDRP"]), ("ipv6-route", 43, ["IPV6-ROUTE"]), ("ipv6-frag", 44, ["IPV6-FRAG"]),
  ("idrp", 45, ["IDRP"]), ("rsvp", 46, ["RSVP"]), ("gre", 47, ["GRE"]), ("dsr", 48, ["DSR"]),
  ("esp", 50, ["ESP"]), ("ah", 51, ["AH"]), ("mobile", 55, ["MOBILE"]), ("skip", 57, ["SKIP"]),
  ("ipv6-icmp", 58, ["IPV6-ICMP", "icmp6"]), ("ipv6-nonxt", 59, ["IPV6-NONXT"]),
  ("ipv6-opts", 60, ["IPV6-OPTS"]), ("vmtp", 81, ["VMTP"]), ("eigrp", 88, ["EIGRP"]),
  ("ospf", 89, ["OSPFIGP"]), ("ax.25", 93, ["AX.25"]), ("ipip", 94, ["IPIP"]), ("etherip", 97, ["ETHERIP"]),
  ("encap", 98, ["ENCAP"]), ("pim", 103, ["PIM"]), ("ipcomp", 108, ["IPCOMP"]),
  ("carp", 112, ["CARP", "vrrp"]), ("l2tp", 115, ["L2TP"]), ("isis", 124, ["ISIS"]), ("sctp", 132, ["SCTP"]),
  ("mobility-header", 135, ["Mobility-Header"]), ("udplite", 136, ["UDPLite"]),
  ("mpls-in-ip", 137, ["MPLS-in-IP"]), ("manet", 138, ["MANET"]), ("hip", 139, ["HIP"]),
  ("shim6", 140, ["SHIM6"]), ("wesp", 141, ["WESP"]), ("rohc", 142, ["ROHC"]), ("pfsync", 240, ["PFSYNC"]),
]

private let tcp = ["tcp"]
private let udp = ["udp"]
private let both = ["tcp", "udp"]

/// The services that rule files name most, so that they work without /etc/services; natd's is a divert port.
let builtInServices: [(name: String, port: UInt16, protocols: [String], aliases: [String])] = [
  ("natd", 8668, ["divert"], []),
  ("echo", 7, both, []), ("discard", 9, both, ["sink", "null"]), ("ftp-data", 20, tcp, []),
  ("ftp", 21, tcp, []),
  ("ssh", 22, tcp, []), ("telnet", 23, tcp, []), ("smtp", 25, tcp, ["mail"]),
  ("time", 37, both, ["timserver"]), ("domain", 53, both, []), ("bootps", 67, udp, []),
  ("bootpc", 68, udp, []), ("tftp", 69, udp, []), ("finger", 79, tcp, []), ("http", 80, tcp, ["www"]),
  ("kerberos", 88, both, []), ("pop3", 110, tcp, []), ("sunrpc", 111, both, ["portmapper"]),
  ("auth", 113, tcp, ["ident"]), ("nntp", 119, tcp, []), ("ntp", 123, udp, []), ("netbios-ns", 137, both, []),
  ("netbios-dgm", 138, both, []), ("netbios-ssn", 139, both, []), ("imap", 143, tcp, ["imap2"]),
  ("snmp", 161, both, []), ("snmptrap", 162, both, ["snmp-trap"]), ("bgp", 179, tcp, []),
  ("irc", 194, both, []),
  ("ldap", 389, both, []), ("https", 443, both, []), ("microsoft-ds", 445, both, []),
  ("isakmp", 500, udp, []), ("syslog", 514, udp, []), ("printer", 515, tcp, ["spooler"]),
  ("rip", 520, udp, []),
  ("submission", 587, tcp, []), ("ldaps", 636, both, []), ("domain-s", 853, both, []),
  ("imaps", 993, tcp, []), ("pop3s", 995, tcp, []), ("socks", 1080, tcp, []), ("openvpn", 1194, both, []),
  ("radius", 1812, udp, []), ("nfs", 2049, both, []), ("mysql", 3306, tcp, []),
  ("rdp", 3389, tcp, ["ms-wbt-server"]), ("sip", 5060, both, []), ("mdns", 5353, udp, []),
  ("postgresql", 5432, tcp, []), ("x11", 6000, tcp, []), ("http-alt", 8080, tcp, ["webcache"]),
]
