import Divert
import Packets
import SimulatedHost
import TestSupport
import Testing

/// Fragments that wait for others that do not come.
struct WaitingFragmentsTests {
  @Test func `with a hole: what was diverted is dropped in the end, the rest goes on as it came`() throws {
    let clock = SimulatedClock()
    let host = SimulatedHost(forwards: true, clock: clock)
    try host.addInterface("em0", "192.0.2.2/24", "2001:db8:1::2/64")
    try host.addInterface("em1", "198.51.100.1/24", "2001:db8:2::1/64")
    try host.ipfw("add 100 divert 2000 udp from any to any dst-port 9 in")
    var socket = try DivertSocket(port: 2000, on: host)
    for (version, seconds) in [(4, 30), (6, 60)] {
      let earlier = host.transmitted(on: "em1").count
      let toPort9 = try Self.fragment(
        version, 1, 0, hex("0001 0009 0020 0000") + [UInt8](repeating: 1, count: 16), more: true)
      let later = try Self.fragment(version, 2, 24, [UInt8](repeating: 2, count: 8), more: false)
      for packet in [toPort9, later] { try host.receive(packet, on: "em0") }
      #expect(host.transmitted(on: "em1").count == earlier)
      clock.advance(by: .seconds(seconds - 1))
      try host.receive(Self.fragment(version, 3, 0, [UInt8](repeating: 0, count: 8), more: false), on: "em0")
      let before = host.transmitted(on: "em1").count
      clock.advance(by: .seconds(1))
      try host.receive(Self.fragment(version, 4, 0, [UInt8](repeating: 0, count: 8), more: false), on: "em0")
      let sent = host.transmitted(on: "em1").dropFirst(before)
      #expect(sent.map { $0.last }.sorted { ($0 ?? 0) < ($1 ?? 0) } == [0, 2])
    }
    let count = try socket.read(timeout: .zero).count
    #expect(count == 0)
  }

  /// A piece of a UDP datagram to a host behind this one.
  private static func fragment(
    _ version: Int, _ identification: UInt8, _ offset: UInt16, _ data: [UInt8], more: Bool
  ) throws -> [UInt8] {
    guard version == 6 else {
      var packet = try Sample.packet(
        17, "192.0.2.1", "198.51.100.2", data, fragmentOffset: Int(offset), moreFragments: more)
      packet[5] = identification
      (packet[10], packet[11]) = (0, 0)
      let checksum = 0xffff - onesComplementSum(packet[..<20])
      (packet[10], packet[11]) = (UInt8(checksum >> 8), UInt8(checksum & 0xff))
      return packet
    }
    let place = offset | (more ? 1 : 0)
    return try Sample.packet(
      44, "2001:db8:1::1", "2001:db8:2::2",
      [17, 0, UInt8(place >> 8), UInt8(place & 0xff), 0, 0, 0, identification] + data)
  }
}
