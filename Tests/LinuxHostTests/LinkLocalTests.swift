import Divert
import Namespaces
import TestSupport
import Testing

/// IPv6 on the link itself: link-local addresses, groups, neighbours.
@Suite(.serialized) struct LinkLocalTests {
  private let everything = "add 100 divert 2000 ip from any to any"

  @Test func `link-local addresses, with their scope`() throws {
    let host = try LinuxScenario()
    try host.ipfw(everything)
    let program = try host.program(on: 2000)
    let inside = try host.linkLocal(host.b, "em0")
    #expect(try host.ping("\(inside)%vethA", count: 3, programs: [program]) == 3)
    #expect(
      pings(program.seen).map(\.address.direction) == [
        .incoming, .outgoing, .incoming, .outgoing, .incoming, .outgoing,
      ])
    #expect(try host.ping("\(inside)%vethA", count: 2, size: 20_000, programs: [program]) == 2)
    let tool = try host.passingTool()
    let outside = try host.linkLocal(host.a, "vethA")
    try host.b.run("ping", "-n", "-c", "3", "-i", "0.2", "-W", "2", "\(outside)%em0")
    try host.stop(tool)
  }

  @Test func `groups: an answer from each member`() throws {
    let host = try LinuxScenario()
    try host.ipfw(everything)
    let tool = try host.passingTool()
    // All nodes (RFC 4291 §2.7.1); the sender hears itself, too, over loopback.
    for (namespace, interface, other) in [(host.a, "vethA", host.b), (host.b, "em0", host.a)] {
      let neighbour = try host.linkLocal(other, interface == "em0" ? "vethA" : "em0")
      let output = try namespace.run("ping", "-n", "-c", "3", "-i", "0.1", "-W", "2", "ff02::1%\(interface)")
        .output
      #expect(output.contains("from \(neighbour)"), "\(output)")
    }
    try host.stop(tool)
  }

  @Test func `neighbours are found through a passing program`() throws {
    let host = try LinuxScenario()
    try host.ipfw(everything)
    let tool = try host.passingTool()
    for _ in 0..<3 {
      for (namespace, interface) in [(host.a, "vethA"), (host.b, "em0"), (host.b, "em1"), (host.c, "vethC")] {
        try namespace.run("ip", "neigh", "flush", "dev", interface)
      }
      for address in [near, far, "192.0.2.2", "198.51.100.2"] {
        #expect(try host.ping(address, count: 2) == 2)
      }
    }
    // Duplicate address detection (RFC 4862 §5.4) hears that another has the address.
    try host.a.run("sysctl", "-q", "-w", "net.ipv6.conf.vethA.accept_dad=1")
    try host.a.run("ip", "addr", "add", "\(near)/64", "dev", "vethA")
    var state = ""
    while !state.contains("dadfailed") {
      state = try host.a.run("ip", "-6", "addr", "show", "dev", "vethA", "to", near).output
      guard state.contains("tentative") else { break }
    }
    #expect(state.contains("dadfailed"), "\(state)")
    try host.stop(tool)
  }
}

extension LinuxScenario {
  fileprivate func linkLocal(_ namespace: Namespace, _ interface: String) throws -> String {
    let text = try namespace.run("ip", "-6", "-o", "addr", "show", "dev", interface, "scope", "link").output
    let words = text.split(separator: " ")
    let place = try #require(words.firstIndex(of: "inet6"))
    return String(words[place + 1].split(separator: "/")[0])
  }

  /// `divert pass` on another port than a program of the test's, which goes first.
  fileprivate func passingTool() throws -> LeashedProcess {
    try ipfw("delete 100")
    try ipfw("add 100 divert 2001 ip from any to any")
    return try startTool("pass", "2001")
  }
}
