import Divert
import Namespaces
import TestSupport
import Testing

/// Packets to many, as others on the link get them.
@Suite(.serialized) struct GroupTests {
  @Test func `a default route does not lead packets to many to its gateway`() throws {
    let host = try LinuxScenario()
    try host.b.run("ip", "route", "add", "default", "via", "198.51.100.2")
    try host.ipfw("add 100 divert 2000 udp from any to any out")
    try host.b.entered {
      let socket = try host.open(port: 2001)
      for destination in ["224.0.0.1", "255.255.255.255"] {
        // Without an interface, the route's; with one, that.
        try socket.writer.reinject(Sample.udp("198.51.100.1", 1, destination, 2), as: .outgoing(tag: 100))
        try socket.writer.reinject(
          Sample.udp("192.0.2.2", 1, destination, 2), as: .outgoing(on: "em0", tag: 100))
      }
      socket.close()
    }
    for other in [host.c, host.a] { #expect(try host.packetsToMany(other) == "1 1") }
    // What another program sends by an interface, and a program on the port passes, leaves by that.
    let tool = try host.startTool("pass", "2000")
    try host.b.run(
      "python3", "-c",
      """
      import socket
      s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
      s.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
      s.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"em0")
      for destination in "224.0.0.1", "255.255.255.255": s.sendto(b"x", (destination, 2))
      """)
    try host.stop(tool)
    #expect(try host.packets(countedBy: 100) == 2)
    #expect(try host.packetsToMany(host.a) == "2 2")
    #expect(try host.packetsToMany(host.c) == "1 1")
  }

  @Test func `what came to all on a link comes to them still when it was written back`() throws {
    let host = try LinuxScenario()
    try host.b.run("sysctl", "-q", "-w", "net.ipv4.icmp_echo_ignore_broadcasts=0")
    try host.ipfw("add 100 divert 2000 icmp from any to any in icmptypes 8")
    let tool = try host.startTool("pass", "2000")
    for destination in ["192.0.2.255", "255.255.255.255", "224.0.0.1"] {
      let ping = try host.a.run(
        "ping", "-n", "-b", "-I", "vethA", "-c", "2", "-i", "0.2", "-W", "2", destination, expecting: nil)
      #expect(ping.output.contains("from 192.0.2.2"), "\(destination): \(ping)")
    }
    try host.stop(tool)
    #expect(try host.packets(countedBy: 100) == 6)
  }
}

extension LinuxScenario {
  /// How many multicast and broadcast packets IP has had.
  fileprivate func packetsToMany(_ namespace: Namespace) throws -> String {
    try namespace.run("nstat", "-asz", "IpExtInMcastPkts", "IpExtInBcastPkts").output
      .split(separator: "\n").filter { $0.hasPrefix("IpExt") }
      .map { String($0.split(separator: " ")[1]) }.joined(separator: " ")
  }
}
