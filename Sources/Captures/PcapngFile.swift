import Packets

/// The blocks of a pcapng file, and what those that have been read say about the ones to come
/// (draft-ietf-opsawg-pcapng).
struct PcapngFile {
  /// The same in either byte order.
  static let sectionHeader: UInt32 = 0x0a0d_0d0a
  /// §3.1: type, length, and the length once more at the end.
  private static let blockOverhead = 12
  /// So many interfaces in a section nobody means; a bound for the memory they take.
  private static let mostInterfaces = 65_536

  private enum BlockType {
    static let interface: UInt32 = 1
    static let obsoletePacket: UInt32 = 2
    static let simplePacket: UInt32 = 3
    static let enhancedPacket: UInt32 = 6
  }

  /// Of the section: its integers are little-endian.
  private var isSwapped = false
  /// Of the section, by their numbers.
  private var interfaces: [PcapngInterface] = []

  /// The next packet; blocks that are none are skipped.
  mutating func next(_ input: inout InputBuffer) throws(CaptureError) -> Reading {
    while true {
      let start = input.offset
      guard try input.fill(Self.blockOverhead) else {
        return input.count == 0 ? .complete : .cut(at: start)
      }
      let isSection = input.bytes.integer(at: 0, as: UInt32.self) == Self.sectionHeader
      if isSection { try beginSection(input.bytes, start) }
      let type = input.bytes.integer(at: 0, swapped: isSwapped, as: UInt32.self)
      let length = Int(input.bytes.integer(at: 4, swapped: isSwapped, as: UInt32.self))
      guard length >= Self.blockOverhead, length % 4 == 0 else {
        throw .corrupt("a block of \(length) bytes", at: start)
      }
      guard isSection || Self.isOfUse(type) else {
        guard try input.skip(UInt64(length)) else { return .cut(at: start) }
        continue
      }
      guard length <= InputBuffer.longestRecord else {
        throw .corrupt("a block of \(length) bytes", at: start)
      }
      guard try input.fill(length) else { return .cut(at: start) }
      let again = Int(input.bytes.integer(at: length - 4, swapped: isSwapped, as: UInt32.self))
      guard again == length else {
        throw .corrupt("a block of \(length) bytes that ends as one of \(again)", at: start)
      }
      let record = isSection ? nil : try read(type, input.bytes.extracting(first: length), start)
      input.consume(length)
      if let record { return .record(record) }
    }
  }

  private static func isOfUse(_ type: UInt32) -> Bool {
    switch type {
    case BlockType.interface, BlockType.obsoletePacket, BlockType.simplePacket, BlockType.enhancedPacket:
      true
    default: false
    }
  }

  /// §4.1: the byte-order magic lies behind the length, which can only be read then.
  private mutating func beginSection(_ block: RawSpan, _ start: UInt64) throws(CaptureError) {
    switch block.integer(at: 8, as: UInt32.self) {
    case 0x1a2b_3c4d: isSwapped = false
    case 0x4d3c_2b1a: isSwapped = true
    default: throw .corrupt("a section header without its magic number", at: start)
    }
    interfaces.removeAll(keepingCapacity: true)
  }

  /// - Returns: nil for a block that holds no packet.
  private mutating func read(
    _ type: UInt32, _ block: RawSpan, _ start: UInt64
  ) throws(CaptureError) -> Record? {
    switch type {
    case BlockType.interface:
      guard interfaces.count < Self.mostInterfaces, let interface = PcapngInterface(block, isSwapped) else {
        throw .corrupt("an interface description that is none", at: start)
      }
      interfaces.append(interface)
      return nil
    case BlockType.simplePacket:
      guard block.byteCount >= 16 else { throw .corrupt("a packet block that is too short", at: start) }
      let wire: UInt32 = block.integer(at: 8, swapped: isSwapped)
      let interface = try interface(0, start)
      // §4.4: the snapshot length is all that says how much of the packet is there
      let captured = interface.snapLength == 0 ? wire : min(wire, interface.snapLength)
      return try record(block, start, interface, time: nil, dataAt: 12, captured, wire)
    default:
      guard block.byteCount >= 32 else { throw .corrupt("a packet block that is too short", at: start) }
      let number: UInt32 =
        type == BlockType.obsoletePacket
        ? UInt32(block.integer(at: 8, swapped: isSwapped, as: UInt16.self))
        : block.integer(at: 8, swapped: isSwapped)
      let interface = try interface(number, start)
      let high: UInt32 = block.integer(at: 12, swapped: isSwapped)
      let low: UInt32 = block.integer(at: 16, swapped: isSwapped)
      return try record(
        block, start, interface, time: interface.time(UInt64(high) << 32 | UInt64(low)), dataAt: 28,
        block.integer(at: 20, swapped: isSwapped), block.integer(at: 24, swapped: isSwapped))
    }
  }

  private func interface(_ number: UInt32, _ start: UInt64) throws(CaptureError) -> PcapngInterface {
    guard number < interfaces.count else {
      throw .corrupt("a packet of interface \(number), which nothing describes", at: start)
    }
    return interfaces[Int(number)]
  }

  private func record(
    _ block: RawSpan, _ start: UInt64, _ interface: PcapngInterface, time: UInt64?, dataAt offset: Int,
    _ captured: UInt32, _ wire: UInt32
  ) throws(CaptureError) -> Record {
    guard captured <= InputBuffer.longestPacket, Int(captured) <= block.byteCount - 4 - offset else {
      throw .corrupt("a packet of \(captured) bytes in a block of \(block.byteCount)", at: start)
    }
    return Record(
      length: block.byteCount, dataOffset: offset, capturedLength: Int(captured), wireLength: Int(wire),
      time: time, linkType: UInt32(interface.linkType), isSwapped: isSwapped)
  }
}
