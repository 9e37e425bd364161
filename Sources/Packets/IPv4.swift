/// An IPv4 packet over bytes that somebody else owns (RFC 791).
///
/// Bytes behind the packet's Total Length are not part of it.
public struct IPv4: ~Escapable, BitwiseCopyable {
  @usableFromInline let bytes: RawSpan

  /// Checks all that the accessors rely on: version, header length, total length. After this none of them
  /// can trap. The header checksum is not checked: see ``isHeaderChecksumValid``.
  @inlinable @_lifetime(copy bytes)
  public init(_ bytes: RawSpan) throws(FormatError) {
    guard bytes.byteCount >= 20 else { throw .truncated("IPv4", has: bytes.byteCount, needs: 20) }
    let first: UInt8 = bytes.integer(at: 0)
    guard first >> 4 == 4 else { throw .badVersion("IPv4", first >> 4) }
    let headerLength = Int(first & 0x0f) * 4
    let totalLength = Int(bytes.integer(at: 2) as UInt16)
    guard headerLength >= 20 else { throw .badLength("IPv4 header", headerLength) }
    guard headerLength <= totalLength, totalLength <= bytes.byteCount else {
      throw .badLength("IPv4", totalLength)
    }
    self.bytes = bytes.extracting(first: totalLength)
  }

  /// In bytes, options included: 20...60.
  @inlinable public var headerLength: Int { Int(bytes.integer(at: 0, as: UInt8.self) & 0x0f) * 4 }
  /// DSCP and ECN (RFC 2474, RFC 3168).
  @inlinable public var typeOfService: UInt8 { bytes.integer(at: 1) }
  @inlinable public var totalLength: Int { bytes.byteCount }
  @inlinable public var identification: UInt16 { bytes.integer(at: 4) }
  @inlinable public var dontFragment: Bool { bytes.integer(at: 6, as: UInt16.self) & 0x4000 != 0 }
  @inlinable public var moreFragments: Bool { bytes.integer(at: 6, as: UInt16.self) & 0x2000 != 0 }
  /// In bytes.
  @inlinable public var fragmentOffset: Int { Int(bytes.integer(at: 6, as: UInt16.self) & 0x1fff) * 8 }
  @inlinable public var isFragment: Bool { bytes.integer(at: 6, as: UInt16.self) & 0x3fff != 0 }
  @inlinable public var timeToLive: UInt8 { bytes.integer(at: 8) }
  @inlinable public var protocolNumber: UInt8 { bytes.integer(at: 9) }
  @inlinable public var headerChecksum: UInt16 { bytes.integer(at: 10) }
  @inlinable public var source: IPv4Address { IPv4Address(rawValue: bytes.integer(at: 12)) }
  @inlinable public var destination: IPv4Address { IPv4Address(rawValue: bytes.integer(at: 16)) }

  @inlinable public var options: RawSpan {
    @_lifetime(copy self) get { bytes.extracting(20..<headerLength) }
  }
  /// What follows the header.
  @inlinable public var payload: RawSpan {
    @_lifetime(copy self) get { bytes.extracting(droppingFirst: headerLength) }
  }

  @inlinable public var isHeaderChecksumValid: Bool {
    Checksum.sum(bytes.extracting(first: headerLength)) == 0xffff
  }
}

/// The same packet, writable; while it lives, nobody else can touch the bytes.
///
/// Setters correct the header checksum, as far as it was right before. They leave the transport checksum
/// alone, which covers the addresses, too: call ``updateChecksums()`` in the end.
public struct MutableIPv4: ~Copyable, ~Escapable {
  @usableFromInline var bytes: MutableRawSpan

  @inlinable @_lifetime(&bytes)
  public init(_ bytes: inout MutableRawSpan) throws(FormatError) {
    let length = try IPv4(bytes.bytes).totalLength
    self.bytes = bytes._mutatingExtracting(first: length)
  }

  @inlinable public mutating func setTypeOfService(_ value: UInt8) {
    replace(bytes.bytes.integer(at: 0) & 0xff00 | UInt16(value), at: 0)
  }
  @inlinable public mutating func setIdentification(_ value: UInt16) { replace(value, at: 4) }
  @inlinable public mutating func setTimeToLive(_ value: UInt8) {
    replace(UInt16(value) << 8 | bytes.bytes.integer(at: 8) & 0xff, at: 8)
  }
  @inlinable public mutating func setSource(_ address: IPv4Address) { replace(address, at: 12) }
  @inlinable public mutating func setDestination(_ address: IPv4Address) { replace(address, at: 16) }

  /// Computes the header's checksum and that of the transport anew, from what the packet now holds.
  ///
  /// In fragments, and for protocols other than TCP, UDP, UDP-Lite and ICMP, only the header's.
  public mutating func updateChecksums() {
    let headerLength = Int(bytes.bytes.integer(at: 0, as: UInt8.self) & 0x0f) * 4
    bytes.store(0 as UInt16, at: 10)
    bytes.store(Checksum.of(bytes.bytes.extracting(first: headerLength)), at: 10)
    Checksum.updateTransport(of: &bytes)
  }

  /// The bytes behind the header, to be changed in place.
  @inlinable public var payload: MutableRawSpan {
    @_lifetime(&self) mutating get {
      let headerLength = Int(bytes.bytes.integer(at: 0, as: UInt8.self) & 0x0f) * 4
      return bytes._mutatingExtracting(droppingFirst: headerLength)
    }
  }

  /// A word of the header, and the checksum with it.
  @inlinable mutating func replace(_ word: UInt16, at offset: Int) {
    let (old, sum): (UInt16, UInt16) = (bytes.bytes.integer(at: offset), bytes.bytes.integer(at: 10))
    bytes.store(word, at: offset)
    bytes.store(Checksum.updated(sum, from: old, to: word), at: 10)
  }

  @inlinable mutating func replace(_ address: IPv4Address, at offset: Int) {
    let old: UInt32 = bytes.bytes.integer(at: offset)
    let sum: UInt16 = bytes.bytes.integer(at: 10)
    bytes.store(address.rawValue, at: offset)
    bytes.store(Checksum.updated(sum, from: old, to: address.rawValue), at: 10)
  }
}

/// What an IPv4 header says, as a value, to build packets from.
public struct IPv4Header: Equatable, Sendable {
  public var typeOfService: UInt8 = 0
  public var identification: UInt16 = 0
  public var dontFragment = false
  public var moreFragments = false
  /// In bytes, a multiple of 8.
  public var fragmentOffset = 0
  public var timeToLive: UInt8 = 64
  public var protocolNumber: UInt8
  public var source: IPv4Address
  public var destination: IPv4Address
  /// A multiple of 4 bytes, 40 at most.
  public var options: [UInt8] = []

  public init(source: IPv4Address, destination: IPv4Address, protocolNumber: UInt8) {
    (self.source, self.destination, self.protocolNumber) = (source, destination, protocolNumber)
  }

  public init(_ packet: borrowing IPv4) {
    self.init(source: packet.source, destination: packet.destination, protocolNumber: packet.protocolNumber)
    typeOfService = packet.typeOfService
    identification = packet.identification
    dontFragment = packet.dontFragment
    moreFragments = packet.moreFragments
    fragmentOffset = packet.fragmentOffset
    timeToLive = packet.timeToLive
    options = packet.options.byteArray
  }

  public var length: Int { 20 + options.count }

  /// Writes the header with its checksum; the payload goes behind, at ``length``.
  ///
  /// - Throws: Where options or payload are longer than a header can say, or than the bytes.
  public func write(to bytes: inout MutableRawSpan, payloadLength: Int) throws(FormatError) {
    let total = length + payloadLength
    guard length <= 60, length % 4 == 0 else { throw .badLength("IPv4 header", length) }
    guard payloadLength >= 0, total <= 65535 else { throw .badLength("IPv4", total) }
    guard (0...65528).contains(fragmentOffset), fragmentOffset % 8 == 0 else {
      throw .badLength("IPv4 fragment offset", fragmentOffset)
    }
    guard bytes.byteCount >= total else { throw .truncated("IPv4", has: bytes.byteCount, needs: total) }
    bytes.store(0x40 | UInt8(length / 4), at: 0)
    bytes.store(typeOfService, at: 1)
    bytes.store(UInt16(total), at: 2)
    bytes.store(identification, at: 4)
    let flags: UInt16 = (dontFragment ? 0x4000 : 0) | (moreFragments ? 0x2000 : 0)
    bytes.store(flags | UInt16(fragmentOffset / 8), at: 6)
    bytes.store(timeToLive, at: 8)
    bytes.store(protocolNumber, at: 9)
    bytes.store(0 as UInt16, at: 10)
    bytes.store(source.rawValue, at: 12)
    bytes.store(destination.rawValue, at: 16)
    bytes.store(options, at: 20)
    bytes.store(Checksum.of(bytes.bytes.extracting(first: length)), at: 10)
  }
}
