import Divert
import Glibc
import Packets
import Namespaces
import TestSupport
import Testing

/// A way out that takes less than its device.
@Suite(.serialized) struct RouteMTUTests {
  @Test func `what a program writes is cut to the route's MTU, or refused where it is not to be`() throws {
    let host = try LinuxScenario()
    // Without `lock`, the kernel's route look-up for programs (bpf_fib_lookup) tells the device's MTU.
    try host.b.run("ip", "route", "add", "198.51.100.2/32", "dev", "em1", "mtu", "lock", "1000")
    try host.b.run("ip", "route", "add", "2001:db8:2::2/128", "dev", "em1", "mtu", "lock", "1280")
    try host.b.entered {
      let data = [UInt8](repeating: 7, count: 1372)
      var packet = try Sample.packet(1, "192.0.2.1", "198.51.100.2", hex("0800 0000 00010001") + data)
      try host.answered(packet, "icmp from 198.51.100.2 to 192.0.2.1")
      #expect(try host.reassembly("Ip") == "2 1")
      packet = try Sample.packet(58, "2001:db8:1::1", "2001:db8:2::2", hex("8000 0000 00010001") + data)
      try host.answered(packet, "ipv6-icmp from 2001:db8:2::2 to 2001:db8:1::1")
      #expect(try host.reassembly("Ip6") == "2 1")

      packet = try Sample.packet(1, "192.0.2.1", "198.51.100.2", hex("0800 0000 00010001") + data)
      packet[6] = 0x40
      let socket = try host.open(port: 2001)
      let error = #expect(throws: SystemError.self) { try socket.writer.reinject(packet, as: .outgoing()) }
      #expect(error?.code == EMSGSIZE)
      socket.close()
    }
  }

  @Test func `a passing program hinders nobody on such a route`() throws {
    let host = try LinuxScenario()
    try host.b.run("ip", "route", "add", "198.51.100.2/32", "dev", "em1", "mtu", "1000")
    try host.b.run("ip", "route", "add", "2001:db8:2::2/128", "dev", "em1", "mtu", "1280")
    try host.ipfw("add 100 divert 2000 ip from any to any")
    let program = try host.startTool("pass", "2000")
    // The second ping knows the path's MTU from an ICMP error (RFC 1191), which has passed, too.
    _ = try host.ping("198.51.100.2", count: 1, size: 1400)
    for size in [1400, 20_000] {
      #expect(try host.ping("198.51.100.2", count: 2, size: size) == 2, "\(size)")
    }
    try TransferTests.transfer(from: host.a, to: host.c, address: "198.51.100.2", bytes: 5_000_000)
    try TransferTests.transfer(from: host.a, to: host.c, address: "2001:db8:2::2", bytes: 5_000_000)
    try host.stop(program)
  }
}

extension LinuxScenario {
  /// Writes an echo request, and waits for the answer.
  fileprivate func answered(_ request: [UInt8], _ answer: String) throws {
    try ipfw("add 100 divert 2000 \(answer) in")
    let program = try program(on: 2000)
    let socket = try open(port: 2001)
    try socket.writer.reinject(request, as: .outgoing())
    #expect(try program.step(wait: .seconds(5)) == 1)
    #expect(program.seen.first?.bytes.count == request.count)
    try ipfw("delete 100")
    socket.close()
  }

  /// How many fragments have come to C, and how many datagrams became whole.
  fileprivate func reassembly(_ version: String) throws -> String {
    try c.run("nstat", "-asz", "\(version)ReasmReqds", "\(version)ReasmOKs").output
      .split(separator: "\n").filter { $0.hasPrefix(version) }
      .map { String($0.split(separator: " ")[1]) }.joined(separator: " ")
  }
}
