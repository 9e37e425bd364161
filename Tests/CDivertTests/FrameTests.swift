import CDivert
import DivertWire
import Packets
import TestSupport
import Testing

/// The frame of a link is written down twice, in C for programs that know nothing of Swift: both say the same.
struct FrameTests {
  /// Packets near every edge there is: versions, header lengths, total lengths around the true one.
  private func packet(_ random: inout SeededGenerator) -> [UInt8] {
    var bytes = random.bytes(
      [0, 1, 19, 20, 21, 39, 40, 41, 60, 100, 1500].randomElement(using: &random) ?? 0)
    guard bytes.count >= 6 else { return bytes }
    bytes[0] = ([4, 4, 4, 6, 6, 5, 0].randomElement(using: &random) ?? 4) << 4 | 5
    let length = max(0, bytes.count + Int.random(in: -45...5, using: &random))
    for offset in [2, 4] {
      (bytes[offset], bytes[offset + 1]) = (UInt8(length >> 8), UInt8(length & 0xff))
    }
    if Bool.random(using: &random) { (bytes[4], bytes[5]) = (0, 0) }
    return bytes
  }

  @Test func `headers, byte by byte`() throws {
    var random = SeededGenerator()
    for round in 0..<10_000 {
      let header = FrameHeader(
        tag: .random(in: 0 ... .max, using: &random),
        interface: .random(in: 0 ... .max, using: &random),
        flags: FrameHeader.Flags(rawValue: .random(in: 0 ... .max, using: &random)),
        path: FramePath(
          slot: .random(in: 0 ... .max, using: &random), check: .random(in: 0 ... .max, using: &random)),
        passes: 1, operation: .reinject)
      let version: UInt8 = Bool.random(using: &random) ? 4 : 6
      var ours = [UInt8](repeating: 0xa5, count: FrameHeader.packetOffset)
      unsafe ours.withUnsafeMutableBytes { buffer in
        var span = unsafe MutableRawSpan(_unsafeBytes: buffer)
        header.write(to: &span, packetVersion: version)
      }
      var theirs = [UInt8](repeating: 0x5a, count: Int(frame_header_size))
      let frame = frame(
        interface: header.interface, tag: header.tag, path: header.path.slot, check: header.path.check,
        flags: header.flags.rawValue)
      frame_write(&theirs, frame, UInt32(version))
      #expect(ours == theirs, "seed \(testSeed), round \(round)")
      let read = frame_read(ours)
      #expect(read.tag == header.tag && read.interface == header.interface)
      #expect(read.path == header.path.slot && read.check == header.path.check)
      #expect(read.flags == header.flags.rawValue)
    }
  }

  @Test func `constants`() {
    let pairs: [(Int, Int)] = [
      (Int(frame_header_size), FrameHeader.packetOffset), (Int(frame_version), Int(FrameHeader.version)),
      (Int(frame_outgoing), Int(FrameHeader.Flags.outgoing.rawValue)),
      (Int(frame_broadcast), Int(FrameHeader.Flags.broadcast.rawValue)),
      (Int(frame_multicast), Int(FrameHeader.Flags.multicast.rawValue)),
      (Int(frame_transmit_interface), Int(FrameHeader.Flags.transmitInterface.rawValue)),
      (Int(frame_diverted), Int(FrameHeader.Operation.diverted.rawValue)),
      (Int(frame_reinject), Int(FrameHeader.Operation.reinject.rawValue)),
      (Int(frame_deliver), Int(FrameHeader.Operation.deliver.rawValue)),
      (Int(frame_longest_packet), Reinjection.longestPacket),
    ]
    for (index, pair) in pairs.enumerated() { #expect(pair.0 == pair.1, "number \(index)") }
  }

  @Test func `lengths and refusals`() {
    var random = SeededGenerator()
    for round in 0..<20_000 {
      let packet = packet(&random)
      // As many of the first bytes as the library looks at, and all of the length.
      let start = Array(packet.prefix(Int(frame_looked_at))) + [0]
      let length = Reinjection.length(of: packet.rawSpan)
      #expect(
        frame_packet_length(start, packet.count) == length, "seed \(testSeed), round \(round), \(packet)")
      for outgoing in [false, true] {
        let refusal = Reinjection.refusal(of: packet.rawSpan, outgoing: outgoing) ?? 0
        #expect(
          frame_refusal(start, packet.count, outgoing) == refusal,
          "seed \(testSeed), round \(round), \(packet)")
      }
    }
    let long = [UInt8](repeating: 0x45, count: 65_536)
    #expect(Reinjection.refusal(of: long.rawSpan, outgoing: true) == frame_refusal(long, long.count, true))
  }

  static let arrivals: [(destination: String, flags: Int)] = [
    ("c0000201", 0), ("ffffffff", frame_broadcast), ("e00000fb", frame_multicast),
    ("efffffff", frame_multicast), ("f0000001", 0), ("dfffffff", 0),
  ]

  @Test(arguments: arrivals) func `how the link layer would have brought it`(
    _ row: (destination: String, flags: Int)
  ) {
    let packet = hex("45000014 00010000 40110000 c0000202 \(row.destination)")
    #expect(Int(frame_arrival(packet, packet.count)) == row.flags)
  }

  @Test func `and in IPv6`() {
    for (start, flags) in [("ff02", frame_multicast), ("fe80", 0), ("20ff", 0)] {
      let packet = hex(
        "60000000 0000 3b40 fe80000000000000 0000000000000001 \(start)000000000000 0000000000000001")
      #expect(Int(frame_arrival(packet, packet.count)) == flags)
    }
  }
}
