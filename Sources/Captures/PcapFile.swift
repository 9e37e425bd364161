import Packets

/// What the header of a pcap file says about its records (draft-ietf-opsawg-pcap §4).
struct PcapFile: BitwiseCopyable {
  private static let headerLength = 24

  private let isSwapped: Bool
  private let nanosecondsPerTick: UInt64
  private let linkType: UInt32
  private let recordHeaderLength: Int

  /// The "modified" format of some old Linux systems has 8 bytes more in a record's header: interface, protocol and kind.
  static let modifiedRecordHeaderLength = 24

  /// - Parameter isSwapped: The integers are little-endian: the magic number tells.
  init(
    _ input: inout InputBuffer, isSwapped: Bool, nanosecondsPerTick: UInt64 = 1000,
    recordHeaderLength: Int = 16
  ) throws(CaptureError) {
    guard try input.fill(Self.headerLength) else {
      throw .noCapture("it ends within its header, after \(input.count) bytes")
    }
    let major = input.bytes.integer(at: 4, swapped: isSwapped, as: UInt16.self)
    guard major == 2 else { throw .noCapture("it is pcap of version \(major), not 2") }
    // The upper bits tell of a frame check sequence, which follows the packet and is not read.
    linkType = input.bytes.integer(at: 20, swapped: isSwapped, as: UInt32.self) & 0x03ff_ffff
    guard LinkType(linkType) != nil else { throw .linkType(linkType) }
    self.isSwapped = isSwapped
    self.recordHeaderLength = recordHeaderLength
    self.nanosecondsPerTick = nanosecondsPerTick
    input.consume(Self.headerLength)
  }

  func next(_ input: inout InputBuffer) throws(CaptureError) -> Reading {
    let start = input.offset
    guard try input.fill(recordHeaderLength) else {
      return input.count == 0 ? .complete : .cut(at: start)
    }
    let seconds = UInt64(input.bytes.integer(at: 0, swapped: isSwapped, as: UInt32.self))
    let ticks = UInt64(input.bytes.integer(at: 4, swapped: isSwapped, as: UInt32.self))
    let captured = Int(input.bytes.integer(at: 8, swapped: isSwapped, as: UInt32.self))
    let wire = Int(input.bytes.integer(at: 12, swapped: isSwapped, as: UInt32.self))
    guard captured <= InputBuffer.longestPacket else {
      throw .corrupt("a packet of \(captured) bytes", at: start)
    }
    let length = recordHeaderLength + captured
    guard try input.fill(length) else { return .cut(at: start) }
    input.consume(length)
    return .record(
      Record(
        length: length, dataOffset: recordHeaderLength, capturedLength: captured, wireLength: wire,
        time: seconds * 1_000_000_000 + ticks * nanosecondsPerTick, linkType: linkType, isSwapped: isSwapped))
  }
}
