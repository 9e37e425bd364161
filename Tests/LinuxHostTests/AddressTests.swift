import Divert
import Namespaces
import TestSupport
import Testing

/// Hosts and interfaces with fewer addresses than usual, and what divert addresses make of it.
@Suite(.serialized) struct AddressTests {
  /// em0 loses its IPv4 address, which is loopback's from then on.
  private func hostWithout4() throws -> LinuxScenario {
    let host = try LinuxScenario()
    try host.b.run("ip", "addr", "del", "192.0.2.2/24", "dev", "em0")
    try host.b.run("ip", "addr", "add", "192.0.2.2/32", "dev", "lo")
    try host.b.run("ip", "route", "add", "192.0.2.0/24", "dev", "em0")
    try host.ipfw("add 100 divert 2000 icmp from any to any in icmptypes 8")
    return host
  }

  @Test func `what came in on an interface without IPv4 addresses goes back in`() throws {
    let host = try hostWithout4()
    let program = try host.b.entered { try host.program(on: 2000) }
    #expect(try host.ping("192.0.2.2", count: 2, programs: [program]) == 2)
    #expect(program.seen.map(\.address.direction) == [.incoming, .incoming])
    #expect(program.seen.map { host.name(of: $0.address.interface) } == ["em0", "em0"])
  }

  /// INADDR_ANY says both: no address, and outgoing. So, as on BSD, it comes in again, on loopback.
  @Test func `a BSD program turns such a packet around`() throws {
    let host = try hostWithout4()
    let told = try BSDProgram(client: 258, "pass", count: 4, in: host).ping(2)
    #expect(told.answered == 2)
    #expect(told.lines == ["out em0 100 84", "in lo 100 84", "out em0 100 84", "in lo 100 84"])
  }

  @Test func `a forwarded packet has the name of its receive interface on its way out`() throws {
    let host = try LinuxScenario()
    try host.ipfw("add 100 divert 2000 icmp from any to any out icmptypes 8")
    let told = try BSDProgram(client: 258, "pass", count: 2, in: host).ping(2, "198.51.100.2")
    #expect(told.answered == 2 && told.lines == ["out em0 100 84", "out em0 100 84"])
  }

  @Test func `a port is bound on a host without addresses, whatever UDP and TCP have`() throws {
    let host = try LinuxScenario()
    for interface in ["em0", "em1", "lo"] { try host.b.run("ip", "addr", "flush", "dev", interface) }
    let others = try host.b.start([
      "python3", "-c",
      """
      import socket, sys
      both = [socket.socket(socket.AF_INET, kind) for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM)]
      for other in both: other.bind(("0.0.0.0", 2000))
      print("ready", flush=True)
      sys.stdin.read()
      """,
    ])
    #expect(try others.line() == "ready")
    try host.b.entered {
      let socket = try host.open(port: 2000)
      #expect(socket.port == 2000)
      socket.close()
    }
    others.signal(9)
    others.result()
  }
}
