package import Kernel

/// Writes a pcapng file of IP packets, each with a comment, times in nanoseconds (draft-ietf-opsawg-pcapng).
package struct CaptureWriter: ~Copyable {
  private var output: OutputBuffer

  package init(writing descriptor: consuming Descriptor, _ action: String) {
    output = OutputBuffer(to: descriptor, action)
    // §4.1: the section header; its length is not known
    block(0x0a0d_0d0a, length: 28) { output in
      output.append(littleEndian: 0x1a2b_3c4d as UInt32)
      output.append(littleEndian: 1 as UInt16)
      output.append(littleEndian: 0 as UInt16)
      for _ in 0..<2 { output.append(littleEndian: UInt32.max) }
    }
    // §4.2: the only interface, LINKTYPE_RAW; if_tsresol is 9
    block(1, length: 32) { output in
      output.append(littleEndian: 101 as UInt16)
      output.append(littleEndian: 0 as UInt16)
      output.append(littleEndian: 0 as UInt32)
      output.append(littleEndian: 9 as UInt16)
      output.append(littleEndian: 1 as UInt16)
      output.append(littleEndian: 9 as UInt32)
      output.append(littleEndian: 0 as UInt32)
    }
  }

  /// - Parameters:
  ///   - packet: From the IP header on.
  ///   - wireLength: How long it was when it was captured.
  ///   - time: In nanoseconds since 1970.
  ///   - comment: UTF-8; only so much of it is written as an option can hold.
  package mutating func write(
    _ packet: RawSpan, wireLength: Int, time: UInt64, comment: [UInt8]
  ) throws(SystemError) {
    let commentLength = min(comment.count, 65_535)
    let length =
      32 + Self.padded(packet.byteCount) + (commentLength == 0 ? 0 : 8 + Self.padded(commentLength))
    // §4.3: the enhanced packet block; option 1 is opt_comment
    block(6, length: length) { output in
      output.append(littleEndian: 0 as UInt32)
      output.append(littleEndian: UInt32(truncatingIfNeeded: time >> 32))
      output.append(littleEndian: UInt32(truncatingIfNeeded: time))
      output.append(littleEndian: UInt32(packet.byteCount))
      output.append(littleEndian: UInt32(clamping: wireLength))
      output.append(packet)
      Self.pad(&output, after: packet.byteCount)
      guard commentLength > 0 else { return }
      output.append(littleEndian: 1 as UInt16)
      output.append(littleEndian: UInt16(commentLength))
      if commentLength == comment.count {
        output.append(comment)
      } else {
        output.append(Array(comment.prefix(commentLength)))
      }
      Self.pad(&output, after: commentLength)
      output.append(littleEndian: 0 as UInt32)
    }
    try output.flushIfFull()
  }

  /// To be called at the end: what is left is written.
  package mutating func flush() throws(SystemError) { try output.flush() }

  private mutating func block(_ type: UInt32, length: Int, _ body: (inout OutputBuffer) -> Void) {
    output.append(littleEndian: type)
    output.append(littleEndian: UInt32(length))
    body(&output)
    output.append(littleEndian: UInt32(length))
  }

  private static func padded(_ count: Int) -> Int { (count + 3) & ~3 }

  private static func pad(_ output: inout OutputBuffer, after count: Int) {
    for _ in count..<padded(count) { output.append(0) }
  }
}
