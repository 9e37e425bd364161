public import Packets

extension FrameHeader {
  /// Where the fields lie; docs/link-frame.md tells the same to people.
  @usableFromInline package enum Offset {
    /// Operation and version.
    @inlinable package static var kind: Int { 0 }
    @inlinable package static var flags: Int { 1 }
    @inlinable package static var tag: Int { 2 }
    @inlinable package static var interface: Int { 4 }
    @inlinable package static var path: Int { 8 }
    @inlinable package static var check: Int { 10 }
    @inlinable package static var passes: Int { 11 }
    @inlinable package static var etherType: Int { 12 }
  }

  /// The first byte of a frame.
  @inlinable package static func kind(_ operation: Operation) -> UInt8 { operation.rawValue << 4 | version }

  /// Reads the header of a frame.
  ///
  /// - Returns: nil for what is none: a frame with no room for header and EtherType, of another version, or
  ///   with an operation that this version does not know.
  @inlinable
  public init?(parsing frame: RawSpan) {
    guard frame.byteCount >= Self.packetOffset else { return nil }
    let kind = frame.integer(at: Offset.kind, as: UInt8.self)
    guard kind & 15 == Self.version, let operation = Operation(rawValue: kind >> 4) else { return nil }
    self.init(
      tag: frame.integer(at: Offset.tag), interface: frame.integer(at: Offset.interface),
      flags: Flags(rawValue: frame.integer(at: Offset.flags)),
      path: FramePath(slot: frame.integer(at: Offset.path), check: frame.integer(at: Offset.check)),
      passes: frame.integer(at: Offset.passes), operation: operation)
  }

  /// Writes the header and the EtherType that fits the packet's version to the first 14 bytes of a frame.
  @inlinable @_lifetime(frame: copy frame)
  public func write(to frame: inout MutableRawSpan, packetVersion: UInt8 = 4) {
    frame.store(Self.kind(operation), at: Offset.kind)
    frame.store(flags.rawValue, at: Offset.flags)
    frame.store(tag, at: Offset.tag)
    frame.store(interface, at: Offset.interface)
    frame.store(path.slot, at: Offset.path)
    frame.store(path.check, at: Offset.check)
    frame.store(passes, at: Offset.passes)
    frame.store(packetVersion == 6 ? 0x86dd : 0x0800 as UInt16, at: Offset.etherType)
  }
}
