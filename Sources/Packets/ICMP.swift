/// An ICMP or ICMPv6 message over bytes that somebody else owns (RFC 792, RFC 4443).
///
/// The two have the same layout but different type numbers, and ICMPv6's checksum covers a pseudo header.
public struct ICMP: ~Escapable, BitwiseCopyable {
  @usableFromInline let bytes: RawSpan

  /// Checks all that the accessors rely on; after this none of them can trap. The message takes all of the
  /// bytes: it has no length of its own.
  @inlinable @_lifetime(copy bytes)
  public init(_ bytes: RawSpan) throws(FormatError) {
    guard bytes.byteCount >= 8 else { throw .truncated("ICMP", has: bytes.byteCount, needs: 8) }
    self.bytes = bytes
  }

  @inlinable public var type: UInt8 { bytes.integer(at: 0) }
  @inlinable public var code: UInt8 { bytes.integer(at: 1) }
  @inlinable public var checksum: UInt16 { bytes.integer(at: 2) }
  /// Of echo requests and replies, and of the other queries.
  @inlinable public var identifier: UInt16 { bytes.integer(at: 4) }
  /// As ``identifier``.
  @inlinable public var sequenceNumber: UInt16 { bytes.integer(at: 6) }
  /// What follows the first eight bytes: an echo's data, an error's packet.
  @inlinable public var payload: RawSpan {
    @_lifetime(copy self) get { bytes.extracting(droppingFirst: 8) }
  }
}

/// The same message, writable; while it lives, nobody else can touch the bytes.
///
/// Setters correct the checksum, too, as far as it was right before.
public struct MutableICMP: ~Copyable, ~Escapable {
  @usableFromInline var bytes: MutableRawSpan

  @inlinable @_lifetime(&bytes)
  public init(_ bytes: inout MutableRawSpan) throws(FormatError) {
    let length = try ICMP(bytes.bytes).bytes.byteCount
    self.bytes = bytes._mutatingExtracting(first: length)
  }

  @inlinable public mutating func setType(_ type: UInt8) {
    replace(bytes.bytes.integer(at: 0) & 0xff | UInt16(type) << 8, at: 0)
  }
  @inlinable public mutating func setCode(_ code: UInt8) {
    replace(bytes.bytes.integer(at: 0) & 0xff00 | UInt16(code), at: 0)
  }
  @inlinable public mutating func setIdentifier(_ identifier: UInt16) { replace(identifier, at: 4) }
  @inlinable public mutating func setSequenceNumber(_ number: UInt16) { replace(number, at: 6) }

  /// To be changed in place; ``MutableIPv4/updateChecksums()`` then corrects the checksum.
  @inlinable public var payload: MutableRawSpan {
    @_lifetime(&self) mutating get { bytes._mutatingExtracting(droppingFirst: 8) }
  }

  @inlinable mutating func replace(_ word: UInt16, at offset: Int) {
    let (old, sum): (UInt16, UInt16) = (bytes.bytes.integer(at: offset), bytes.bytes.integer(at: 2))
    bytes.store(word, at: offset)
    bytes.store(Checksum.updated(sum, from: old, to: word), at: 2)
  }
}

/// The first eight bytes of an ICMP or ICMPv6 message, as a value, to build messages from.
public struct ICMPHeader: Equatable, Sendable {
  public var type: UInt8
  public var code: UInt8
  public var identifier: UInt16 = 0
  public var sequenceNumber: UInt16 = 0

  public static let length = 8

  public init(type: UInt8, code: UInt8 = 0, identifier: UInt16 = 0, sequenceNumber: UInt16 = 0) {
    (self.type, self.code) = (type, code)
    (self.identifier, self.sequenceNumber) = (identifier, sequenceNumber)
  }

  public init(_ message: borrowing ICMP) {
    self.init(
      type: message.type, code: message.code, identifier: message.identifier,
      sequenceNumber: message.sequenceNumber)
  }

  /// Writes the header without a checksum, which ``Checksum/updateTransport(of:)`` adds once payload and IP
  /// header are there, too.
  public func write(to bytes: inout MutableRawSpan) throws(FormatError) {
    guard bytes.byteCount >= 8 else { throw .truncated("ICMP", has: bytes.byteCount, needs: 8) }
    bytes.store(type, at: 0)
    bytes.store(code, at: 1)
    bytes.store(0 as UInt16, at: 2)
    bytes.store(identifier, at: 4)
    bytes.store(sequenceNumber, at: 6)
  }
}
