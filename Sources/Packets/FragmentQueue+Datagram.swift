extension FragmentQueue {
  /// A datagram, as far as it has come.
  package struct Datagram: Sendable {
    /// In order of arrival, untouched.
    package private(set) var fragments: [(bytes: [UInt8], note: Note)] = []
    /// Of the fragments, headers included.
    private(set) var byteCount = 0
    private var pieces = DatagramPieces()

    init() {}

    init(_ first: Fragment, _ bytes: [UInt8], _ note: Note) {
      pieces = DatagramPieces(first)
      keep(bytes, note)
    }

    package var isWhole: Bool { pieces.isWhole }

    /// Keeps the fragment if it can join the others.
    mutating func join(_ fragment: Fragment, _ bytes: [UInt8], _ note: Note) -> DatagramPieces.Joining {
      let joining = pieces.join(fragment, number: fragments.count)
      if case .joined = joining { keep(bytes, note) }
      return joining
    }

    mutating func keep(_ bytes: [UInt8], _ note: Note) {
      fragments.append((bytes, note))
      byteCount += bytes.count
    }

    /// The datagram as it was before it was cut, with the headers of its first fragment; nil unless it is whole.
    package func assembled() -> [UInt8]? {
      guard isWhole, fitsHeader, let first else { return nil }
      var data: [UInt8] = []
      data.reserveCapacity(pieces.length)
      for piece in pieces.pieces { data += fragments[piece.fragment].bytes[piece.bytes] }
      let packet = unsafe first.span.bytes
      // Congestion that one fragment met, the whole has met (RFC 3168 §5.3).
      let isCongested = pieces.congestion == .experienced
      if let ip = try? IPv4(packet) {
        var header = IPv4Header(ip)
        header.moreFragments = false
        if isCongested { header.typeOfService |= CongestionMark.experienced.rawValue }
        return header.packet(carrying: data)
      }
      guard let ip = try? IPv6(packet), let headers = PerFragmentHeaders(ip) else { return nil }
      let nextHeader = headers.fragment?.nextHeader ?? first[headers.nextHeaderField]
      var bytes = headers.rewritten(in: packet, nextHeader: nextHeader, followedBy: data.count)
      if isCongested { bytes[1] |= CongestionMark.experienced.rawValue << 4 }
      return bytes + data
    }

    /// Whether a header can say how long the whole is: Total Length of IPv4, Payload Length of IPv6.
    var fitsHeader: Bool {
      guard let first, let fragment = Fragment(unsafe first.span.bytes, domain: 0) else { return false }
      let fixed = fragment.key.source.version == 4 ? 0 : IPv6Header.length
      return fragment.headerLength - fixed + pieces.length <= 65535
    }

    /// The fragment at offset 0 that counts.
    private var first: [UInt8]? {
      pieces.pieces.first.flatMap { $0.range.lowerBound == 0 ? fragments[$0.fragment].bytes : nil }
    }
  }
}

extension IPv4Header {
  /// A packet of this header and data; nil where a header cannot say so.
  func packet(carrying data: some Collection<UInt8>) -> [UInt8]? {
    var bytes = [UInt8](repeating: 0, count: length) + data
    var span = bytes.mutableSpan
    var packet = unsafe span.mutableBytes
    do { try write(to: &packet, payloadLength: data.count) } catch { return nil }
    return bytes
  }
}
