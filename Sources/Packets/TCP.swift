/// The control bits of a TCP segment (RFC 9293 §3.1).
public struct TCPFlags: OptionSet, Hashable, Sendable, BitwiseCopyable {
  public let rawValue: UInt8
  @inlinable public init(rawValue: UInt8) { self.rawValue = rawValue }

  public static let fin = TCPFlags(rawValue: 0x01)
  public static let syn = TCPFlags(rawValue: 0x02)
  public static let rst = TCPFlags(rawValue: 0x04)
  public static let psh = TCPFlags(rawValue: 0x08)
  public static let ack = TCPFlags(rawValue: 0x10)
  public static let urg = TCPFlags(rawValue: 0x20)
  public static let ece = TCPFlags(rawValue: 0x40)
  public static let cwr = TCPFlags(rawValue: 0x80)
}

/// A TCP segment over bytes that somebody else owns (RFC 9293).
public struct TCP: ~Escapable, BitwiseCopyable {
  @usableFromInline let bytes: RawSpan

  /// Checks all that the accessors rely on; after this none of them can trap. The segment takes all of the
  /// bytes: it has no length of its own.
  @inlinable @_lifetime(copy bytes)
  public init(_ bytes: RawSpan) throws(FormatError) {
    guard bytes.byteCount >= 20 else { throw .truncated("TCP", has: bytes.byteCount, needs: 20) }
    let headerLength = Int(bytes.integer(at: 12, as: UInt8.self) >> 4) * 4
    guard (20...bytes.byteCount).contains(headerLength) else { throw .badLength("TCP header", headerLength) }
    self.bytes = bytes
  }

  @inlinable public var sourcePort: UInt16 { bytes.integer(at: 0) }
  @inlinable public var destinationPort: UInt16 { bytes.integer(at: 2) }
  @inlinable public var sequenceNumber: UInt32 { bytes.integer(at: 4) }
  /// Means something only with the flag ACK.
  @inlinable public var acknowledgementNumber: UInt32 { bytes.integer(at: 8) }
  /// In bytes, options included: 20...60.
  @inlinable public var headerLength: Int { Int(bytes.integer(at: 12, as: UInt8.self) >> 4) * 4 }
  @inlinable public var flags: TCPFlags { TCPFlags(rawValue: bytes.integer(at: 13)) }
  /// As sent, not scaled (RFC 7323).
  @inlinable public var window: UInt16 { bytes.integer(at: 14) }
  @inlinable public var checksum: UInt16 { bytes.integer(at: 16) }
  @inlinable public var urgentPointer: UInt16 { bytes.integer(at: 18) }
  @inlinable public var options: RawSpan {
    @_lifetime(copy self) get { bytes.extracting(20..<headerLength) }
  }
  @inlinable public var payload: RawSpan {
    @_lifetime(copy self) get { bytes.extracting(droppingFirst: headerLength) }
  }
}

/// The same segment, writable; while it lives, nobody else can touch the bytes.
///
/// Setters correct the checksum, too, as far as it was right before.
public struct MutableTCP: ~Copyable, ~Escapable {
  @usableFromInline var bytes: MutableRawSpan

  @inlinable @_lifetime(&bytes)
  public init(_ bytes: inout MutableRawSpan) throws(FormatError) {
    let length = try TCP(bytes.bytes).bytes.byteCount
    self.bytes = bytes._mutatingExtracting(first: length)
  }

  @inlinable public mutating func setSourcePort(_ port: UInt16) { replace(port, at: 0) }
  @inlinable public mutating func setDestinationPort(_ port: UInt16) { replace(port, at: 2) }
  @inlinable public mutating func setSequenceNumber(_ number: UInt32) { replace(number, at: 4) }
  @inlinable public mutating func setAcknowledgementNumber(_ number: UInt32) { replace(number, at: 8) }
  @inlinable public mutating func setFlags(_ flags: TCPFlags) {
    replace(bytes.bytes.integer(at: 12) & 0xff00 | UInt16(flags.rawValue), at: 12)
  }
  @inlinable public mutating func setWindow(_ window: UInt16) { replace(window, at: 14) }

  /// To be changed in place; ``MutableIPv4/updateChecksums()`` then corrects the checksum.
  @inlinable public var payload: MutableRawSpan {
    @_lifetime(&self) mutating get {
      let headerLength = Int(bytes.bytes.integer(at: 12, as: UInt8.self) >> 4) * 4
      return bytes._mutatingExtracting(droppingFirst: headerLength)
    }
  }

  @inlinable mutating func replace(_ word: UInt16, at offset: Int) {
    let (old, sum): (UInt16, UInt16) = (bytes.bytes.integer(at: offset), bytes.bytes.integer(at: 16))
    bytes.store(word, at: offset)
    bytes.store(Checksum.updated(sum, from: old, to: word), at: 16)
  }

  @inlinable mutating func replace(_ word: UInt32, at offset: Int) {
    let old: UInt32 = bytes.bytes.integer(at: offset)
    let sum: UInt16 = bytes.bytes.integer(at: 16)
    bytes.store(word, at: offset)
    bytes.store(Checksum.updated(sum, from: old, to: word), at: 16)
  }
}

/// What a TCP header says, as a value, to build segments from.
public struct TCPHeader: Equatable, Sendable {
  public var sourcePort: UInt16
  public var destinationPort: UInt16
  public var sequenceNumber: UInt32 = 0
  public var acknowledgementNumber: UInt32 = 0
  public var flags: TCPFlags = []
  public var window: UInt16 = 65535
  public var urgentPointer: UInt16 = 0
  /// A multiple of 4 bytes, 40 at most.
  public var options: [UInt8] = []

  public init(sourcePort: UInt16, destinationPort: UInt16, flags: TCPFlags = []) {
    (self.sourcePort, self.destinationPort, self.flags) = (sourcePort, destinationPort, flags)
  }

  public init(_ segment: borrowing TCP) {
    self.init(
      sourcePort: segment.sourcePort, destinationPort: segment.destinationPort, flags: segment.flags)
    sequenceNumber = segment.sequenceNumber
    acknowledgementNumber = segment.acknowledgementNumber
    window = segment.window
    urgentPointer = segment.urgentPointer
    options = segment.options.byteArray
  }

  public var length: Int { 20 + options.count }

  /// Writes the header without a checksum, which ``Checksum/updateTransport(of:)`` adds once payload and IP
  /// header are there, too.
  public func write(to bytes: inout MutableRawSpan) throws(FormatError) {
    guard length <= 60, length % 4 == 0 else { throw .badLength("TCP header", length) }
    guard bytes.byteCount >= length else { throw .truncated("TCP", has: bytes.byteCount, needs: length) }
    bytes.store(sourcePort, at: 0)
    bytes.store(destinationPort, at: 2)
    bytes.store(sequenceNumber, at: 4)
    bytes.store(acknowledgementNumber, at: 8)
    bytes.store(UInt8(length / 4) << 4, at: 12)
    bytes.store(flags.rawValue, at: 13)
    bytes.store(window, at: 14)
    bytes.store(0 as UInt16, at: 16)
    bytes.store(urgentPointer, at: 18)
    bytes.store(options, at: 20)
  }
}
