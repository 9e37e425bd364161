import Divert
import DivertWire
import Glibc
import Namespaces
import TestSupport
import Testing

/// A program that writes to its socket past the library: whatever it says in the frame's header, it gets no further than
/// the library would let it.
@Suite(.serialized) struct GarbageFrameTests {
  @Test func `20 000 frames with any header: the host is well, and no rule was passed over`() throws {
    let host = try LinuxScenario()
    try host.ipfw("add 100 deny udp from any to any 7 in")
    try host.b.entered {
      let socket = try host.open(port: 2000)
      var generator = SeededGenerator(stream: 2)
      var garbage = try Garbage(stream: 3)
      var (sent, refused) = (0, 0)
      for _ in 0..<20_000 {
        var header = generator.bytes(FrameHeader.packetOffset)
        // Most of them nearly right: an interface, an operation, the version, an EtherType.
        if Int.random(in: 0..<8, using: &generator) != 0 {
          header.replaceSubrange(4..<8, with: [0, 0, 0, UInt8.random(in: 0...8, using: &generator)])
          header[9] = UInt8.random(in: 0...5, using: &generator)
          if Bool.random(using: &generator) {
            header[0] = FrameHeader.kind(.reinject)
          } else {
            header[0] = UInt8.random(in: 0...6, using: &generator) << 4 | FrameHeader.version
          }
          header.replaceSubrange(
            12..<14, with: Bool.random(using: &generator) ? [0x08, 0x00] : [0x86, 0xdd])
        }
        let frame = header + garbage.next()
        if send(socket.fileDescriptor, frame, frame.count, CInt(MSG_DONTWAIT)) < 0 {
          refused += 1
        } else {
          sent += 1
        }
      }
      #expect(sent > 1000 && refused > 1000, "\(sent) \(refused), TEST_SEED=\(testSeed)")
      socket.close()
    }
    #expect(try host.ipfw("list") == "00100 deny udp from any to any 7 in\n65535 allow ip from any to any\n")
    for address in ["192.0.2.2", "198.51.100.2", near, far] {
      #expect(try host.ping(address, count: 2) == 2, "\(address), TEST_SEED=\(testSeed)")
    }
  }
}
