import Kernel
import TestSupport
import Testing

@testable import Captures

struct CaptureReaderTests {
  struct Frame: Equatable {
    var bytes: [UInt8]
    var wireLength: Int
    var time: UInt64?
    var linkType = LinkType.rawIP
  }

  static let frames: [[UInt8]] = [[0x45, 1, 2], Array(0..<200), [], [0x60]]

  static var expected: [Frame] {
    frames.enumerated().map {
      Frame(bytes: $0.element, wireLength: $0.element.count, time: SampleCapture.time($0.offset))
    }
  }

  /// All that can be read, and how it ended.
  static func read(
    _ reader: consuming CaptureReader
  ) throws(CaptureError) -> (frames: [Frame], end: CaptureReader.End) {
    var frames: [Frame] = []
    while try reader.advance() {
      let frame = reader.frame
      frames.append(
        Frame(
          bytes: [UInt8](frame.bytes), wireLength: frame.wireLength, time: frame.time,
          linkType: frame.linkType))
    }
    return (frames, reader.end)
  }

  static func read(_ bytes: [UInt8]) throws(CaptureError) -> (frames: [Frame], end: CaptureReader.End) {
    try read(try CaptureReader(bytes: bytes))
  }

  @Test(arguments: [false, true], [false, true]) func pcap(isBigEndian: Bool, isInNanoseconds: Bool) throws {
    let bytes = SampleCapture.pcap(
      Self.frames, isBigEndian: isBigEndian, isInNanoseconds: isInNanoseconds)
    let (frames, end) = try Self.read(bytes)
    #expect(frames == Self.expected)
    #expect(end == .complete)
  }

  @Test(arguments: [false, true]) func `modified pcap`(isBigEndian: Bool) throws {
    let bytes = SampleCapture.pcap(Self.frames, isBigEndian: isBigEndian, isModified: true)
    let (frames, end) = try Self.read(bytes)
    #expect(frames == Self.expected)
    #expect(end == .complete)
    #expect(try Self.read(Array(bytes.dropLast())).end == .cut(at: UInt64(bytes.count - 25)))
  }

  @Test(arguments: [false, true]) func pcapng(isBigEndian: Bool) throws {
    let (frames, end) = try Self.read(SampleCapture.pcapng(Self.frames, isBigEndian: isBigEndian))
    #expect(frames == Self.expected)
    #expect(end == .complete)
  }

  @Test func `a packet of which the capture has kept the beginning`() throws {
    let pcap = try Self.read(SampleCapture.pcap([[1, 2, 3]], missing: 1000))
    #expect(pcap.frames.map(\.wireLength) == [1003])
    var blocks = PcapngBlocks()
    blocks.section()
    blocks.interface(101)
    blocks.packet([1, 2, 3], ticks: 5, missing: 7)
    #expect(try Self.read(blocks.bytes).frames == [Frame(bytes: [1, 2, 3], wireLength: 10, time: 5000)])
  }

  /// Interfaces of several link types and clocks, every kind of packet block, blocks that hold none, a section of the
  /// other byte order whose interfaces are numbered anew.
  @Test(arguments: [false, true]) func `all blocks of pcapng`(isBigEndian: Bool) throws {
    var blocks = PcapngBlocks(isBigEndian: isBigEndian)
    blocks.section()
    blocks.interface(101, snapLength: 4)
    blocks.block(0xbad) { $0.bytes += [1, 2, 3, 4, 5] }
    blocks.interface(1, resolution: 9, offset: -3600)
    blocks.packet([1], interface: 1, ticks: SampleCapture.firstTime)
    blocks.block(5) { $0.put(0 as UInt64) }  // statistics
    blocks.simplePacket([1, 2, 3], wireLength: 3)
    blocks.simplePacket([1, 2, 3, 4], wireLength: 90)
    blocks.obsoletePacket([9, 9], interface: 0, ticks: 77)
    blocks.isBigEndian.toggle()
    blocks.section()
    blocks.interface(113)
    blocks.packet([5], ticks: 3)
    let (frames, end) = try Self.read(blocks.bytes)
    #expect(end == .complete)
    #expect(
      frames == [
        Frame(
          bytes: [1], wireLength: 1, time: SampleCapture.firstTime - 3_600_000_000_000, linkType: .ethernet),
        Frame(bytes: [1, 2, 3], wireLength: 3, time: nil),
        Frame(bytes: [1, 2, 3, 4], wireLength: 90, time: nil),
        Frame(bytes: [9, 9], wireLength: 2, time: 77_000),
        Frame(bytes: [5], wireLength: 1, time: 3000, linkType: .cooked),
      ])
  }

  /// if_tsresol, if_tsoffset, what stands in the packet block, what it means.
  static let clocks: [(UInt8?, Int64?, UInt64, UInt64)] = [
    (nil, nil, 5, 5000),
    (6, nil, 5, 5000), (9, nil, 5, 5), (3, nil, 5, 5_000_000), (0, nil, 5, 5_000_000_000),
    (12, nil, 5999, 5), (40, nil, .max, 0), (127, nil, .max, 0),
    (0x80, nil, 5, 5_000_000_000), (0x8a, nil, 1536, 1_500_000_000), (0xa0, nil, 3 << 31, 1_500_000_000),
    (0xbf, nil, 1 << 63, 1_000_000_000), (0xc0, nil, 1 << 63, 500_000_000), (0xff, nil, .max, 0),
    (0x80, nil, .max, .max), (0, nil, .max, .max),
    (6, 10, 5, 10_000_005_000), (6, -10, 20_000_000, 10_000_000_000), (6, -10, 5, 0),
    (6, .max, 5, .max), (6, .min, 5, 0), (9, 1, .max, .max),
  ]

  @Test(arguments: clocks)
  func `clocks of pcapng`(resolution: UInt8?, offset: Int64?, ticks: UInt64, time: UInt64) throws {
    var blocks = PcapngBlocks()
    blocks.section()
    blocks.interface(101, resolution: resolution, offset: offset)
    blocks.packet([1], ticks: ticks)
    #expect(try Self.read(blocks.bytes).frames.map(\.time) == [time])
  }

  /// At whatever byte a file ends, all whole packets before are there.
  @Test func `files that are cut`() throws {
    let pcap = SampleCapture.pcap(Self.frames)
    var ends = Self.frames.reduce(into: [24]) { $0.append($0[$0.count - 1] + 16 + $1.count) }
    for count in 24...pcap.count {
      let (frames, end) = try Self.read(Array(pcap[..<count]))
      let whole = ends.lastIndex { $0 <= count } ?? 0
      #expect(frames == Array(Self.expected[..<whole]), "\(count) bytes")
      #expect(end == (ends.contains(count) ? .complete : .cut(at: UInt64(ends[whole]))), "\(count) bytes")
    }
    let pcapng = SampleCapture.pcapng(Self.frames)
    let headers = SampleCapture.pcapng([]).count
    ends = Self.frames.reduce(into: [headers]) { $0.append($0[$0.count - 1] + 44 + ($1.count + 3) / 4 * 4) }
    for count in headers...pcapng.count {
      let (frames, end) = try Self.read(Array(pcapng[..<count]))
      let whole = ends.lastIndex { $0 <= count } ?? 0
      #expect(frames == Array(Self.expected[..<whole]), "\(count) bytes")
      #expect(end == (ends.contains(count) ? .complete : .cut(at: UInt64(ends[whole]))), "\(count) bytes")
    }
  }

  struct Refused: CustomTestStringConvertible, Sendable {
    let bytes: [UInt8]
    let error: CaptureError
    var testDescription: String { error.description }
  }

  static let refused: [Refused] = {
    var rows = [
      Refused(bytes: [], error: .noCapture("there is nothing in it")),
      Refused(bytes: [0xd4, 0xc3], error: .noCapture("it is only 2 bytes long")),
      Refused(bytes: Array("not a capture".utf8), error: .noCapture("it is neither pcap nor pcapng")),
      Refused(
        bytes: [0x1f, 0x8b, 8, 0],
        error: .noCapture("it is compressed; try it through `gzip -dc FILE | … -`")),
      Refused(
        bytes: Array(SampleCapture.pcap([])[..<20]),
        error: .noCapture("it ends within its header, after 20 bytes")),
      Refused(bytes: SampleCapture.pcap([], linkType: 105), error: .linkType(105)),
      Refused(bytes: SampleCapture.pcapng([[1]], linkType: 105), error: .linkType(105)),
    ]
    func pcapng(_ error: String, at offset: Int, _ body: (inout PcapngBlocks) -> Void) {
      var blocks = PcapngBlocks()
      blocks.section()
      blocks.interface(101)
      body(&blocks)
      rows.append(Refused(bytes: blocks.bytes, error: .corrupt(error, at: UInt64(offset))))
    }
    let start = SampleCapture.pcapng([]).count
    pcapng("a packet of interface 1, which nothing describes", at: start) {
      $0.packet([1], interface: 1, ticks: 1)
    }
    pcapng("a packet of interface 0, which nothing describes", at: start + 28) {
      $0.section()
      $0.simplePacket([1], wireLength: 1)
    }
    pcapng("a packet of 9 bytes in a block of 20", at: start) { $0.simplePacket([1], wireLength: 9) }
    pcapng("a packet block that is too short", at: start) { $0.block(6) { $0.put(0 as UInt32) } }
    pcapng("an interface description that is none", at: start) { $0.block(1) { $0.put(0 as UInt32) } }
    pcapng("a section header without its magic number", at: start) {
      $0.block(0x0a0d_0d0a) { $0.put(0 as UInt64) }
    }
    var bytes = SampleCapture.pcapng([[1]])
    bytes[bytes.count - 4] = 99
    rows.append(
      Refused(
        bytes: bytes, error: .corrupt("a block of 48 bytes that ends as one of 99", at: UInt64(start))))
    bytes = SampleCapture.pcapng([[1]])
    bytes[start + 4] = 47
    rows.append(Refused(bytes: bytes, error: .corrupt("a block of 47 bytes", at: UInt64(start))))
    bytes[start + 4] = 8
    rows.append(Refused(bytes: bytes, error: .corrupt("a block of 8 bytes", at: UInt64(start))))
    bytes = SampleCapture.pcap([[1]])
    bytes[24 + 10] = 5
    rows.append(Refused(bytes: bytes, error: .corrupt("a packet of 327681 bytes", at: 24)))
    return rows
  }()

  @Test(arguments: refused) func `what is no capture`(_ row: Refused) {
    #expect(throws: row.error) { try Self.read(row.bytes) }
  }

  @Test func `an interface of another link type without packets disturbs nobody`() throws {
    var blocks = PcapngBlocks()
    blocks.section()
    blocks.interface(189)
    blocks.interface(101)
    blocks.packet([7], interface: 1, ticks: 1)
    #expect(try Self.read(blocks.bytes).frames.map(\.bytes) == [[7]])
  }

  /// What can be read of the others is read; that nothing can be is an error, told when the end is reached.
  @Test func `packets of an interface of another link type are passed over and counted`() throws {
    var blocks = PcapngBlocks()
    blocks.section()
    blocks.interface(189)
    blocks.interface(101)
    blocks.interface(105)
    blocks.packet([1], ticks: 1)
    blocks.simplePacket([2], wireLength: 1)
    blocks.packet([3], interface: 2, ticks: 1)
    let unreadable = blocks.bytes
    blocks.packet([7], interface: 1, ticks: 1)
    blocks.packet([8], interface: 2, ticks: 2)
    blocks.obsoletePacket([9], interface: 1, ticks: 3)
    var reader = try CaptureReader(bytes: blocks.bytes)
    var frames: [[UInt8]] = []
    while try reader.advance() { frames.append([UInt8](reader.frame.bytes)) }
    #expect(frames == [[7], [9]])
    #expect(reader.skipped == [105: 2, 189: 2])
    #expect(throws: CaptureError.linkType(105)) { try Self.read(unreadable) }
  }

  /// The longest packet there may be, behind a block that nobody could keep, through a pipe.
  @Test func `the longest blocks, through a pipe`() async throws {
    let longest = [UInt8](repeating: 7, count: InputBuffer.longestPacket)
    var blocks = PcapngBlocks()
    blocks.section()
    blocks.interface(101)
    blocks.block(0xbad) { $0.bytes += [UInt8](repeating: 1, count: 3 << 20) }
    blocks.packet(longest, ticks: 1)
    blocks.packet([1, 2, 3], ticks: 2)
    let bytes = blocks.bytes
    let pipe = try Pipe()
    let writing = try pipe.writing.duplicate().release()
    let writer = Task.detached {
      var output = OutputBuffer(to: Descriptor(owning: writing), "write to a pipe")
      output.append(bytes)
      try output.flush()
    }
    let (frames, end) = try Self.read(CaptureReader(reading: pipe.keepReading()))
    try await writer.value
    #expect(frames.map(\.bytes.count) == [longest.count, 3])
    #expect(frames.first?.bytes == longest)
    #expect(end == .complete)
  }
}
