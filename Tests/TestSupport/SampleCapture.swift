/// Captures by their meaning. Frame n is of the time ``time(_:)``.
package enum SampleCapture {
  package enum Format: Sendable { case pcap, pcapng }

  /// Of raw IP packets.
  package static func file(_ format: Format, _ packets: [[UInt8]]) -> [UInt8] {
    switch format {
    case .pcap: pcap(packets)
    case .pcapng: pcapng(packets)
    }
  }

  package static let firstTime: UInt64 = 1_700_000_000_000_000_000

  /// In nanoseconds since 1970; a quarter of a second apart.
  package static func time(_ index: Int) -> UInt64 { firstTime + UInt64(index) * 250_000_000 }

  /// - Parameters:
  ///   - isModified: With 24 bytes before each frame instead of 16, as some old Linux systems wrote it.
  ///   - missing: How many bytes of each frame the capture has left away.
  package static func pcap(
    _ frames: [[UInt8]], linkType: UInt32 = 101, isBigEndian: Bool = false, isInNanoseconds: Bool = false,
    isModified: Bool = false, missing: Int = 0
  ) -> [UInt8] {
    var file = FileBytes(isBigEndian: isBigEndian)
    file.put(isModified ? 0xa1b2_cd34 : isInNanoseconds ? 0xa1b2_3c4d : 0xa1b2_c3d4 as UInt32)
    file.put(2 as UInt16)
    file.put(4 as UInt16)
    file.put(0 as UInt64)
    file.put(262_144 as UInt32)
    file.put(linkType)
    for (index, frame) in frames.enumerated() {
      let nanoseconds = time(index) % 1_000_000_000
      file.put(UInt32(time(index) / 1_000_000_000))
      file.put(UInt32(isInNanoseconds ? nanoseconds : nanoseconds / 1000))
      file.put(UInt32(frame.count))
      file.put(UInt32(frame.count + missing))
      if isModified {
        file.put(7 as UInt32)  // interface
        file.put(0x0800 as UInt16)
        file.bytes += [4, 0]
      }
      file.bytes += frame
    }
    return file.bytes
  }

  /// A section header, an interface of microseconds, and enhanced packet blocks.
  package static func pcapng(
    _ frames: [[UInt8]], linkType: UInt16 = 101, isBigEndian: Bool = false
  ) -> [UInt8] {
    var blocks = PcapngBlocks(isBigEndian: isBigEndian)
    blocks.section()
    blocks.interface(linkType)
    for (index, frame) in frames.enumerated() { blocks.packet(frame, ticks: time(index) / 1000) }
    return blocks.bytes
  }
}

/// Integers in one byte order.
package struct FileBytes {
  package let isBigEndian: Bool
  package var bytes: [UInt8] = []

  package init(isBigEndian: Bool) { self.isBigEndian = isBigEndian }

  package mutating func put(_ integer: some FixedWidthInteger) {
    let integer = isBigEndian ? integer.bigEndian : integer.littleEndian
    bytes += withUnsafeBytes(of: integer) { Array($0) }
  }

  package mutating func pad() { while bytes.count % 4 != 0 { bytes.append(0) } }
}

/// The blocks of a pcapng file, one by one (draft-ietf-opsawg-pcapng §4).
package struct PcapngBlocks {
  package var isBigEndian: Bool
  package private(set) var bytes: [UInt8] = []

  package init(isBigEndian: Bool = false) { self.isBigEndian = isBigEndian }

  package mutating func block(_ type: UInt32, _ body: (inout FileBytes) -> Void) {
    var content = FileBytes(isBigEndian: isBigEndian)
    body(&content)
    content.pad()
    var block = FileBytes(isBigEndian: isBigEndian)
    block.put(type)
    block.put(UInt32(content.bytes.count + 12))
    block.bytes += content.bytes
    block.put(UInt32(content.bytes.count + 12))
    bytes += block.bytes
  }

  package mutating func section() {
    block(0x0a0d_0d0a) { body in
      body.put(0x1a2b_3c4d as UInt32)
      body.put(1 as UInt16)
      body.put(0 as UInt16)
      body.put(-1 as Int64)
    }
  }

  package mutating func interface(
    _ linkType: UInt16, snapLength: UInt32 = 0, resolution: UInt8? = nil, offset: Int64? = nil
  ) {
    block(1) { body in
      body.put(linkType)
      body.put(0 as UInt16)
      body.put(snapLength)
      // if_name, which is of no interest
      body.put(2 as UInt16)
      body.put(3 as UInt16)
      body.bytes += [UInt8]("em0\0".utf8)
      if let resolution {
        body.put(9 as UInt16)
        body.put(1 as UInt16)
        body.bytes += [resolution, 0, 0, 0]
      }
      if let offset {
        body.put(14 as UInt16)
        body.put(8 as UInt16)
        body.put(offset)
      }
      body.put(0 as UInt32)
    }
  }

  /// An enhanced packet block, with a comment.
  package mutating func packet(_ frame: [UInt8], interface: UInt32 = 0, ticks: UInt64, missing: Int = 0) {
    block(6) { body in
      body.put(interface)
      body.put(UInt32(ticks >> 32))
      body.put(UInt32(truncatingIfNeeded: ticks))
      body.put(UInt32(frame.count))
      body.put(UInt32(frame.count + missing))
      body.bytes += frame
      body.pad()
      body.put(1 as UInt16)
      body.put(2 as UInt16)
      body.bytes += [UInt8]("hi\0\0".utf8)
      body.put(0 as UInt32)
    }
  }

  package mutating func simplePacket(_ frame: [UInt8], wireLength: Int) {
    block(3) { body in
      body.put(UInt32(wireLength))
      body.bytes += frame
    }
  }

  package mutating func obsoletePacket(_ frame: [UInt8], interface: UInt16, ticks: UInt64) {
    block(2) { body in
      body.put(interface)
      body.put(7 as UInt16)
      body.put(UInt32(ticks >> 32))
      body.put(UInt32(truncatingIfNeeded: ticks))
      body.put(UInt32(frame.count))
      body.put(UInt32(frame.count))
      body.bytes += frame
    }
  }
}
