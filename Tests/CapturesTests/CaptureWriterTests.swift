import Captures
import Kernel
import TestSupport
import Testing

struct CaptureWriterTests {
  @Test func `what is written can be read`() throws {
    let pipe = try Pipe()
    var writer = CaptureWriter(writing: try pipe.writing.duplicate(), "write a capture")
    let packets: [[UInt8]] = [[0x45], [0x45, 2], [0x60, 2, 3], [0x60, 2, 3, 4], []]
    for (index, packet) in packets.enumerated() {
      try writer.write(
        packet.rawSpan, wireLength: packet.count + index, time: SampleCapture.time(index) + 1,
        comment: Array("rule \(index)".utf8))
    }
    let first = packets[0]
    try writer.write(first.rawSpan, wireLength: 1, time: 0, comment: [])
    try writer.flush()
    let bytes = readSome(of: pipe.keepReading())
    let (frames, end) = try CaptureReaderTests.read(bytes)
    #expect(end == .complete)
    #expect(
      frames.dropLast()
        == packets.enumerated().map { index, packet in
          CaptureReaderTests.Frame(
            bytes: packet, wireLength: packet.count + index, time: SampleCapture.time(index) + 1)
        }[...])
    #expect(frames.last == CaptureReaderTests.Frame(bytes: [0x45], wireLength: 1, time: 0))
  }

  /// draft-ietf-opsawg-pcapng, §4.1 to §4.3, byte by byte.
  @Test func `a file of one packet`() throws {
    let pipe = try Pipe()
    var writer = CaptureWriter(writing: try pipe.writing.duplicate(), "write a capture")
    let packet: [UInt8] = [0x45, 0, 0]
    try writer.write(
      packet.rawSpan, wireLength: 20, time: 0x0102_0304_0506_0708, comment: Array("rule 7".utf8))
    try writer.flush()
    let expected = hex(
      """
      0a0d0d0a 1c000000 4d3c2b1a 0100 0000 ffffffff ffffffff 1c000000  // section header
      01000000 20000000 6500 0000 00000000                             // interface: raw IP, no limit
        0900 0100 09000000 00000000 20000000                           // if_tsresol: nanoseconds
      06000000 34000000 00000000 04030201 08070605 03000000 14000000   // enhanced packet
        450000 00 0100 0600 72756c652037 0000 00000000 34000000        // opt_comment
      """)
    #expect(readSome(of: pipe.keepReading()) == expected)
  }
}
