public import Packets

extension FrameHeader {
  /// Where the fields lie; docs/link-frame.md tells the same to people.
  @usableFromInline package enum Offset {
    @inlinable package static var port: Int { 0 }
    @inlinable package static var tag: Int { 2 }
    @inlinable package static var interface: Int { 4 }
    @inlinable package static var flags: Int { 8 }
    @inlinable package static var passes: Int { 9 }
    @inlinable package static var operation: Int { 10 }
    @inlinable package static var version: Int { 11 }
    @inlinable package static var etherType: Int { 12 }
  }

  /// Reads the header of a frame.
  ///
  /// - Returns: nil for what is none: a frame with no room for header and EtherType, of another version, or
  ///   with an operation that this version does not know.
  @inlinable
  public init?(parsing frame: RawSpan) {
    guard frame.byteCount >= Self.packetOffset,
      frame.integer(at: Offset.version, as: UInt8.self) == Self.version,
      let operation = Operation(rawValue: frame.integer(at: Offset.operation))
    else { return nil }
    self.init(
      port: frame.integer(at: Offset.port), tag: frame.integer(at: Offset.tag),
      interface: frame.integer(at: Offset.interface),
      flags: Flags(rawValue: frame.integer(at: Offset.flags)), passes: frame.integer(at: Offset.passes),
      operation: operation)
  }

  /// Writes the header and the EtherType that fits the packet's version to the first 14 bytes of a frame.
  @inlinable @_lifetime(frame: copy frame)
  public func write(to frame: inout MutableRawSpan, packetVersion: UInt8 = 4) {
    frame.store(port, at: Offset.port)
    frame.store(tag, at: Offset.tag)
    frame.store(interface, at: Offset.interface)
    frame.store(flags.rawValue, at: Offset.flags)
    frame.store(passes, at: Offset.passes)
    frame.store(operation.rawValue, at: Offset.operation)
    frame.store(Self.version, at: Offset.version)
    frame.store(packetVersion == 6 ? 0x86dd : 0x0800 as UInt16, at: Offset.etherType)
  }
}
