import DivertWire
import Packets
import TestSupport
import Testing

struct FrameHeaderTests {
  let header = FrameHeader(
    tag: 100, interface: 3, flags: [.outgoing, .tee], path: FramePath(slot: 0x1234, check: 0x85), passes: 7,
    operation: .diverted)

  @Test func `a header reads back as it was written, and every byte was written`() throws {
    var frame = [UInt8](repeating: 0xa5, count: 14)
    write(header, to: &frame, packetVersion: 6)
    #expect(frame == hex("12 09 0064 00000003 1234 85 07 86dd"))
    #expect(FrameHeader(parsing: frame.rawSpan) == header)
  }

  @Test func `what is shorter is no frame`() {
    let frame = hex("12 00 0064 00000003 0000 00 00 0800")
    #expect(FrameHeader(parsing: frame.rawSpan) != nil)
    for length in 0..<14 {
      #expect(FrameHeader(parsing: frame.rawSpan.extracting(first: length)) == nil, "\(length) bytes")
    }
  }

  @Test func `other versions and operations are refused`() {
    for kind in [0x11, 0x10, 0x13, 0x02, 0x72, 0xf2, 0xff] as [UInt8] {
      var frame = hex("12 00 0064 00000003 0000 00 00 0800")
      frame[0] = kind
      #expect(FrameHeader(parsing: frame.rawSpan) == nil, "\(kind)")
    }
  }

  /// Neighbour redirection drops what goes to a group address, and these bytes lie where an Ethernet frame has it.
  @Test func `no frame looks like one to a group`() {
    for operation in (0...15).compactMap(FrameHeader.Operation.init(rawValue:)) {
      #expect(FrameHeader.kind(operation) & 1 == 0)
    }
  }

  /// docs/link-frame.md speaks to other implementers: its examples are what this implementation says.
  @Test func `the page's examples`() throws {
    let page = try readPage("docs/link-frame.md")
    let blocks = page.split(separator: "```\n").enumerated().filter { $0.offset % 2 == 1 }.map(\.element)
    let frames = blocks.map { hex($0) }
    try #require(frames.count == 2)
    let request = FrameHeader(
      tag: 100, interface: 3, flags: [], path: FramePath(slot: 0xb1a5, check: 0x81), passes: 0,
      operation: .diverted)
    var back = request
    (back.passes, back.operation) = (1, .reinject)
    for (frame, header) in zip(frames, [request, back]) {
      var encoded = frame
      encoded.replaceSubrange(0..<14, with: repeatElement(0xa5, count: 14))
      write(header, to: &encoded, packetVersion: 4)
      #expect(encoded == frame)
      let packet = frame.rawSpan.extracting(droppingFirst: FrameHeader.packetOffset)
      #expect(Reinjection.length(of: packet) == packet.byteCount)
    }
  }

  /// The page's tables against the constants.
  @Test func `the page's flags and operations`() throws {
    let page = try readPage("docs/link-frame.md")
    let rows = page.split(separator: "\n").filter { $0.hasPrefix("| ") }.map { row in
      row.split(separator: "|").map { $0.trimming(while: { $0 == " " }) }
    }
    func value(_ name: String) -> UInt8? {
      rows.first { $0.first.map(String.init) == name }.flatMap { UInt8($0[1]) }
    }
    let flags: [(String, FrameHeader.Flags)] = [
      ("outgoing", .outgoing), ("broadcast", .broadcast), ("multicast", .multicast), ("tee", .tee),
      ("transmitInterface", .transmitInterface), ("reinjected", .reinjected), ("ownMark", .ownMark),
    ]
    for (name, flag) in flags { #expect(value(name).map { 1 << $0 } == flag.rawValue, "\(name)") }
    let operations: [(String, FrameHeader.Operation)] = [
      ("diverted", .diverted), ("reinject", .reinject), ("deliver", .deliver), ("upcall", .upcall),
      ("accept", .accept),
    ]
    for (name, operation) in operations { #expect(value(name) == operation.rawValue, "\(name)") }
  }

  private func write(_ header: FrameHeader, to frame: inout [UInt8], packetVersion: UInt8) {
    unsafe frame.withUnsafeMutableBytes { buffer in
      var span = unsafe MutableRawSpan(_unsafeBytes: buffer)
      header.write(to: &span, packetVersion: packetVersion)
    }
  }
}

extension Substring {
  fileprivate func trimming(while isBlank: (Character) -> Bool) -> Substring {
    var text = drop(while: isBlank)
    while let last = text.last, isBlank(last) { text.removeLast() }
    return text
  }
}
