extension FragmentQueue.Datagram {
  /// The datagram as it was before it was cut, with the headers of its first fragment; nil unless it is whole.
  package func assembled() -> [UInt8]? {
    guard isWhole, fitsHeader, let first else { return nil }
    var data: [UInt8] = []
    data.reserveCapacity(dataLength)
    for piece in pieces { data += fragments[piece.fragment].bytes[piece.bytes] }
    let packet = unsafe first.span.bytes
    if let ip = try? IPv4(packet) {
      var header = IPv4Header(ip)
      header.moreFragments = false
      if congestion == .experienced { header.typeOfService |= congestion.rawValue }
      return header.packet(carrying: data)
    }
    guard let ip = try? IPv6(packet), let headers = PerFragmentHeaders(ip) else { return nil }
    let nextHeader = headers.fragment?.nextHeader ?? first[headers.nextHeaderField]
    var bytes = headers.rewritten(in: packet, nextHeader: nextHeader, followedBy: data.count)
    if congestion == .experienced { bytes[1] |= congestion.rawValue << 4 }
    return bytes + data
  }

  /// Whether a header can say how long the whole is: Total Length of IPv4, Payload Length of IPv6.
  var fitsHeader: Bool {
    guard let first, let fragment = Fragment(unsafe first.span.bytes, domain: 0) else { return false }
    let fixed = fragment.key.source.version == 4 ? 0 : IPv6Header.length
    return fragment.headerLength - fixed + dataLength <= 65535
  }

  /// The fragment at offset 0 that counts.
  private var first: [UInt8]? {
    pieces.first.flatMap { $0.range.lowerBound == 0 ? fragments[$0.fragment].bytes : nil }
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
