import Foundation
import Namespaces
import Testing

/// A router as people have it, and its neighbours: a bridge, policy routing over two uplinks, a tunnel, a container on a
/// macvlan, an ingress shaper on an ifb, addresses that are local by route, a transparent proxy and a DHCP server.
///
/// ```
///   client ── lan1 ┐            ┌ wan0 (ifb0) ── wan0 ┐
///                  br0  router  ┤ vx0 ········· vx0   ├ server
///   tenant ── lan2 ┘            └ wan1 ───────── wan1 ┘
///                                 └ macvlan: container
/// ```
final class FairHost {
  let router: Namespace
  let client: Namespace
  /// Gets its IPv4 address from the router by DHCP.
  let tenant: Namespace
  let server: Namespace
  let container: Namespace
  private var services: [LeashedProcess] = []
  private var leases: ScratchDirectory?

  init() throws {
    (router, client, tenant) = (try Namespace(), try Namespace(), try Namespace())
    (server, container) = (try Namespace(), try Namespace())
    for host in all {
      try host.run(
        "sysctl", "-q", "-w", "net.ipv6.conf.default.accept_dad=0",
        "net.ipv6.conf.default.router_solicitations=0",
        "net.ipv4.conf.all.rp_filter=0", "net.ipv4.conf.default.rp_filter=0",
        "net.ipv4.icmp_echo_ignore_broadcasts=0", "net.ipv4.icmp_ratelimit=0", "net.ipv6.icmp.ratelimit=0")
    }
    try makeLocalNetwork()
    try makeUplinks()
    try makePolicies()
    try makeTunnel()
    try makeContainer()
    try makeShaper()
    try makeProxy()
    try makeServices()
  }

  var all: [Namespace] { [router, client, tenant, server, container] }

  /// Runs lines of words in a namespace; `#` begins a comment.
  private func run(_ host: Namespace, _ script: String) throws {
    for line in script.split(separator: "\n") {
      let words = line.split(separator: " ").map(String.init)
      if let first = words.first, first != "#" { try host.run(words) }
    }
  }

  // MARK: Parts

  private func makeLocalNetwork() throws {
    try run(
      router,
      """
      sysctl -q -w net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1 net.ipv4.fib_multipath_hash_policy=1
      ip link add br0 type bridge
      ip link set br0 up
      ip addr add 192.0.2.1/24 brd + dev br0
      ip addr add 2001:db8:1::1/64 dev br0 nodad
      """)
    for (host, member) in [(client, "lan1"), (tenant, "lan2")] {
      try Namespace.connect(host, "eth0", "169.254.0.1/32", router, member, "169.254.0.2/32")
      try host.run("ip", "addr", "flush", "dev", "eth0", "scope", "global")
      try run(router, "ip addr flush dev \(member)\nip link set \(member) master br0")
    }
    try run(
      client,
      """
      ip addr add 192.0.2.2/24 brd + dev eth0
      ip addr add 2001:db8:1::2/64 dev eth0 nodad
      ip route add default via 192.0.2.1
      ip route add default via 2001:db8:1::1
      """)
    try run(tenant, "ip addr add 2001:db8:1::3/64 dev eth0 nodad\nip route add default via 2001:db8:1::1")
  }

  private func makeUplinks() throws {
    try Namespace.connect(router, "wan0", "198.51.100.1/24", server, "wan0", "198.51.100.2/24")
    try Namespace.connect(router, "wan1", "203.0.113.1/24", server, "wan1", "203.0.113.2/24")
    for (host, last) in [(router, 1), (server, 2)] {
      for uplink in [0, 1] {
        try host.run("ip", "addr", "add", "2001:db8:2\(uplink)::\(last)/64", "dev", "wan\(uplink)", "nodad")
      }
    }
    try run(
      server,
      """
      ip route add local 198.18.0.0/16 dev lo
      ip route add local 2001:db8:9::/64 dev lo
      ip route add 192.0.2.0/24 via 198.51.100.1
      ip route add 198.19.7.0/24 via 198.51.100.1
      ip route add 2001:db8:1::/64 via 2001:db8:20::1
      ip route add 2001:db8:77::/64 via 2001:db8:20::1
      """)
  }

  private func makePolicies() throws {
    for (family, near, far) in [
      ("-4", "198.51.100.2", "203.0.113.2"), ("-6", "2001:db8:20::2", "2001:db8:21::2"),
    ] {
      try run(
        router,
        """
        ip \(family) route add default via \(near)
        ip \(family) route add default via \(far) table 100
        ip \(family) rule add fwmark 7 lookup 100
        ip \(family) rule add uidrange 1234-1234 lookup 100
        ip \(family) rule add ipproto udp sport 5000-5999 lookup 100
        """)
    }
    try run(
      router,
      """
      # A source with an uplink of its own, a VPN's kill switch (only what the VPN has marked goes around it), two next hops.
      ip rule add from 192.0.2.3 lookup 100
      ip rule add iif br0 to 198.18.3.0/24 lookup 100
      ip -6 rule add iif br0 to 2001:db8:9::3/128 lookup 100
      ip route add 198.18.1.0/24 via 203.0.113.2 table 102
      ip rule add not fwmark 9 lookup 102
      ip route add 198.18.2.0/24 nexthop via 198.51.100.2 nexthop via 203.0.113.2
      ip route add 2001:db8:9::2/128 nexthop via 2001:db8:20::2 nexthop via 2001:db8:21::2
      ip route add local 198.19.7.0/24 dev lo
      ip route add local 2001:db8:77::/64 dev lo
      """)
  }

  private func makeTunnel() throws {
    for (host, own, other, last) in [(router, 1, 2, 1), (server, 2, 1, 2)] {
      try run(
        host,
        """
        ip link add vx0 address 02:00:00:00:09:0\(last) type vxlan id 9 local 198.51.100.\(own) remote 198.51.100.\(other) dstport 4789 dev wan0
        ip link set vx0 up
        ip addr add 198.19.9.\(last)/24 dev vx0
        ip addr add 2001:db8:99::\(last)/64 dev vx0 nodad
        """)
    }
    // Neighbours that are not asked for keep the number of tunnelled packets the same.
    for (host, other) in [(router, 2), (server, 1)] {
      for address in ["198.19.9.\(other)", "2001:db8:99::\(other)"] {
        try host.run("ip", "neigh", "replace", address, "lladdr", "02:00:00:00:09:0\(other)", "dev", "vx0")
      }
    }
  }

  private func makeContainer() throws {
    let holder = container.path.split(separator: "/")[1]
    try run(
      router,
      """
      ip link add mv0 link wan1 type macvlan mode bridge
      ip link set mv0 netns \(holder)
      """)
    try run(
      container,
      """
      ip link set mv0 up
      ip addr add 203.0.113.50/24 dev mv0
      ip addr add 2001:db8:21::50/64 dev mv0 nodad
      ip route add default via 203.0.113.2
      ip route add default via 2001:db8:21::2
      """)
  }

  private func makeShaper() throws {
    try run(
      router,
      """
      ip link add ifb0 type ifb
      ip link set ifb0 up
      tc qdisc add dev ifb0 root tbf rate 1gbit burst 1m latency 50ms
      tc qdisc add dev wan0 handle ffff: ingress
      tc filter add dev wan0 parent ffff: protocol all u32 match u32 0 0 action mirred egress redirect dev ifb0
      """)
  }

  private func makeProxy() throws {
    try run(
      router,
      """
      # Where the bridge calls iptables by itself (br_netfilter), a proxy's socket is lost again before IP is reached.
      sysctl -q -w net.bridge.bridge-nf-call-iptables=0
      ip rule add fwmark 1 lookup 101
      ip route add local default dev lo table 101
      iptables-legacy -t mangle -A PREROUTING -i br0 -p tcp --dport 80 -j TPROXY --on-port 3128 --tproxy-mark 1/1
      """)
    services.append(try router.start(["python3", "-c", FairHostPrograms.proxy]))
    #expect(try services[0].line() == "ready")
  }

  private func makeServices() throws {
    let leases = try ScratchDirectory(named: "divert-fair")
    let configuration = "\(leases.path)/udhcpd.conf"
    try """
    start 192.0.2.3
    end 192.0.2.3
    interface br0
    lease_file \(leases.path)/leases
    pidfile \(leases.path)/pid
    option subnet 255.255.255.0
    option router 192.0.2.1
    """.write(toFile: configuration, atomically: true, encoding: .utf8)
    try "".write(toFile: "\(leases.path)/leases", atomically: true, encoding: .utf8)
    self.leases = leases
    services.append(try router.start(["busybox", "udhcpd", "-f", configuration]))
    let web = try server.start(["python3", "-c", FairHostPrograms.server])
    services.append(web)
    #expect(try web.line() == "ready")
  }

  deinit { for service in services { service.signal(9) } }
}
