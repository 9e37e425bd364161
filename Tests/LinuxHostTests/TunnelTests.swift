import Divert
import DivertWire
import Foundation
import Namespaces
import TestSupport
import Testing

/// Packets in packets, both diverted to one port: nothing is lost, and all is counted.
@Suite(.serialized) struct TunnelTests {
  private static let tunnels: [(kind: String, ends: (String, String))] = [
    ("vxlan id 9 dstport 4789 local LOCAL remote REMOTE", ("198.51.100.1", "198.51.100.2")),
    ("vxlan id 9 dstport 4789 local LOCAL remote REMOTE", ("2001:db8:2::1", "2001:db8:2::2")),
    ("vxlan id 9 dstport 4789 local LOCAL remote REMOTE", ("2001:db8:2::1", "2001:db8:2::2")),
    ("vxlan id 9 dstport 4789 local LOCAL remote REMOTE", ("198.51.100.1", "198.51.100.2")),
  ]

  @Test func `inner and outer packets are diverted, written and delivered`() throws {
    let host = try LinuxScenario()
    try host.ipfw("add 100 divert 2000 ip from any to any out")
    let program = try host.startTool("pass", "2000")
    for (number, (kind, ends)) in Self.tunnels.enumerated() {
      let version6 = number % 2 == 1
      for (namespace, ends, last) in [(host.b, ends, 1), (host.c, (ends.1, ends.0), 2)] {
        let words = kind.replacing("LOCAL", with: ends.0).replacing("REMOTE", with: ends.1)
        try namespace.run(
          ["ip", "link", "add", "tun0", "type"] + words.split(separator: " ").map(String.init))
        let address = version6 ? "2001:db8:f\(number)::\(last)/64" : "10.9.\(number).\(last)/24"
        try namespace.run(["ip", "addr", "add", address, "dev", "tun0"] + (version6 ? ["nodad"] : []))
        try namespace.run("ip", "link", "set", "tun0", "mtu", "1400", "up")
      }
      let peer = version6 ? "2001:db8:f\(number)::2" : "10.9.\(number).2"
      // Till divertd has put its hooks on the tunnel.
      let end = ContinuousClock.now + .seconds(5)
      try host.ipfw("add 50 count ip from any to any out xmit tun0")
      while try host.packets(countedBy: 50) == 0, ContinuousClock.now < end {
        try host.b.run("ping", "-n", "-c", "1", "-W", "1", peer, expecting: nil)
      }
      let output = try host.b.run("ping", "-n", "-c", "3", "-i", "0.2", "-W", "2", peer).output
      #expect(output.contains(" 3 received"), "\(kind): \(output)")
      let large = try host.b.run("ping", "-n", "-s", "3000", "-c", "2", "-i", "0.2", "-W", "2", peer).output
      #expect(large.contains(" 2 received"), "\(kind): \(large)")
      try host.ipfw("delete 50")
      for namespace in [host.b, host.c] { try namespace.run("ip", "link", "del", "tun0") }
    }
    try host.expectNothingLost()
    try host.stop(program)
  }
}

extension LinuxScenario {
  /// What was diverted was written back, refused or lost for a reason that is counted.
  fileprivate func expectNothingLost() throws {
    let text = try b.run([Programs.path("divert"), "stat"], environment: daemon.environment).output
    let row = try #require(
      text.split(separator: "\n").first { $0.hasPrefix("2000") || $0.hasPrefix(" 2000") })
    let words = row.split(separator: " ")
    let (diverted, full, incoming, outgoing) = (
      Int(words[2]), Int(words[5]), Int(words[6]), Int(words[7])
    )
    #expect(diverted ?? 0 > 50 && diverted == (full ?? 0) + (incoming ?? 0) + (outgoing ?? 0), "\(text)")
  }
}
