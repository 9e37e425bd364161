package import Kernel
import Packets

/// Reads captures, pcap and pcapng, packet by packet, from a file or a pipe.
///
/// The memory that it takes is bounded whatever the file says, and no packet costs an allocation.
///
/// - Source: draft-ietf-opsawg-pcap, draft-ietf-opsawg-pcapng.
package struct CaptureReader: ~Copyable {
  private var input: InputBuffer
  private var format: Format

  private enum Format {
    case pcap(PcapFile)
    case pcapng(PcapngFile)
  }

  private var record = Record(
    length: 0, dataOffset: 0, capturedLength: 0, wireLength: 0, time: nil, linkType: 0, isSwapped: false)
  private var linkType = LinkType.rawIP
  private var hasRead = false

  /// How the reading has ended, once there are no more packets.
  package enum End: Equatable, Sendable {
    case complete
    /// The file ends within a record, which begins at this byte.
    case cut(at: UInt64)
    /// Whoever reads has been told to stop.
    case stopped
  }

  package private(set) var end = End.complete

  /// - Parameter stop: A descriptor; when it can be read, reading ends.
  package init(reading descriptor: consuming Descriptor, until stop: CInt? = nil) throws(CaptureError) {
    try self.init(InputBuffer(reading: descriptor, until: stop))
  }

  package init(bytes: [UInt8]) throws(CaptureError) { try self.init(InputBuffer(bytes: bytes)) }

  private init(_ input: consuming InputBuffer) throws(CaptureError) {
    var input = input
    let format = try Self.format(&input)
    self.input = input
    self.format = format
  }

  /// Packets of pcapng interfaces whose link type is not known here, by the link type: they are passed over.
  package private(set) var skipped: [UInt32: Int] = [:]

  /// Goes on to the next packet that can be read.
  ///
  /// - Returns: false if there is none any more, for the reason that ``end`` reports.
  /// - Throws: ``CaptureError/linkType(_:)`` at the end of a capture in which no packet can be read.
  package mutating func advance() throws(CaptureError) -> Bool {
    while let record = try nextRecord() {
      guard let linkType = LinkType(record.linkType, isSwapped: record.isSwapped) else {
        skipped[record.linkType, default: 0] += 1
        continue
      }
      self.record = record
      self.linkType = linkType
      hasRead = true
      return true
    }
    if !hasRead, let linkType = skipped.keys.min() { throw .linkType(linkType) }
    return false
  }

  /// The packet at which the reader is.
  ///
  /// - Precondition: ``advance()`` has said that there is one.
  package var frame: CapturedFrame {
    @_lifetime(borrow self) get {
      CapturedFrame(
        bytes: input.consumed(last: record.length, at: record.dataOffset, count: record.capturedLength),
        wireLength: max(record.wireLength, record.capturedLength), time: record.time, linkType: linkType)
    }
  }

  private mutating func nextRecord() throws(CaptureError) -> Record? {
    let reading: Reading
    switch format {
    case .pcap(let file): reading = try file.next(&input)
    case .pcapng(var file):
      reading = try file.next(&input)
      format = .pcapng(file)
    }
    switch reading {
    case .record(let record): return record
    case .complete: end = .complete
    case .cut(let offset): end = .cut(at: offset)
    }
    if input.isStopped { end = .stopped }
    return nil
  }

  private static func modified(_ input: inout InputBuffer, isSwapped: Bool) throws(CaptureError) -> PcapFile {
    try PcapFile(&input, isSwapped: isSwapped, recordHeaderLength: PcapFile.modifiedRecordHeaderLength)
  }

  private static func format(_ input: inout InputBuffer) throws(CaptureError) -> Format {
    guard try input.fill(4) else {
      throw .noCapture(input.count == 0 ? "there is nothing in it" : "it is only \(input.count) bytes long")
    }
    switch input.bytes.integer(at: 0, as: UInt32.self) {
    case PcapngFile.sectionHeader: return .pcapng(PcapngFile())
    case 0xa1b2_c3d4: return .pcap(try PcapFile(&input, isSwapped: false))
    case 0xd4c3_b2a1: return .pcap(try PcapFile(&input, isSwapped: true))
    case 0xa1b2_3c4d: return .pcap(try PcapFile(&input, isSwapped: false, nanosecondsPerTick: 1))
    case 0x4d3c_b2a1: return .pcap(try PcapFile(&input, isSwapped: true, nanosecondsPerTick: 1))
    case 0xa1b2_cd34: return .pcap(try modified(&input, isSwapped: false))
    case 0x34cd_b2a1: return .pcap(try modified(&input, isSwapped: true))
    case let magic where magic >> 16 == 0x1f8b:
      throw .noCapture("it is compressed; try it through `gzip -dc FILE | … -`")
    case 0x28b5_2ffd: throw .noCapture("it is compressed; try it through `zstd -dc FILE | … -`")
    default: throw .noCapture("it is neither pcap nor pcapng")
    }
  }
}

/// A packet of a capture with what stands before it, lent by the ``CaptureReader``.
package struct CapturedFrame: ~Escapable, BitwiseCopyable {
  package let bytes: RawSpan
  /// How long it was when it was captured: more than `bytes`, where the capture keeps the beginnings only.
  package let wireLength: Int
  /// In nanoseconds since 1970; nil where the capture does not say.
  package let time: UInt64?
  package let linkType: LinkType

  @_lifetime(copy bytes)
  init(bytes: RawSpan, wireLength: Int, time: UInt64?, linkType: LinkType) {
    self.bytes = bytes
    self.wireLength = wireLength
    self.time = time
    self.linkType = linkType
  }
}

/// Where a packet lies in a record that has just been consumed, and what the record says about it.
struct Record: BitwiseCopyable {
  let length: Int
  let dataOffset: Int
  let capturedLength: Int
  let wireLength: Int
  let time: UInt64?
  let linkType: UInt32
  /// The integers of the file are little-endian.
  let isSwapped: Bool
}

/// What comes next in a file.
enum Reading: BitwiseCopyable {
  case record(Record)
  case complete
  /// The file ends within the record that begins at this byte.
  case cut(at: UInt64)
}

extension RawSpan {
  /// An integer in the byte order of the machine that has written the capture.
  func integer<Integer: FixedWidthInteger & BitwiseCopyable>(
    at offset: Int, swapped: Bool, as type: Integer.Type = Integer.self
  ) -> Integer {
    let integer: Integer = integer(at: offset)
    return swapped ? integer.byteSwapped : integer
  }
}
