import TestSupport
import Testing

@testable import Captures

struct LinkTypeTests {
  /// Number, frame, what it carries.
  static let rows: [(UInt32, String, LinkType.Content)] = [
    (1, "0200 0000 0001 0200 0000 0002 0800 45", .ip(at: 14)),
    (1, "0200 0000 0001 0200 0000 0002 86dd 60", .ip(at: 14)),
    (1, "0200 0000 0001 0200 0000 0002 0800", .ip(at: 14)),
    (1, "0200 0000 0001 0200 0000 0002 0806 0001", .other),
    (1, "0200 0000 0001 0200 0000 0002 0026 4242 03", .other),  // 802.3
    (1, "0200 0000 0001 0200 0000 0002 8100 0005 0800 45", .tagged),
    (1, "0200 0000 0001 0200 0000 0002 88a8 0005 8100 0006 0800 45", .tagged),
    (1, "0200 0000 0001 0200 0000 0002 08", .other),
    (12, "45", .ip(at: 0)), (14, "60", .ip(at: 0)), (101, "45", .ip(at: 0)), (101, "60", .ip(at: 0)),
    (101, "00", .other), (101, "", .other), (228, "45", .ip(at: 0)), (229, "60", .ip(at: 0)),
    (113, "0000 0001 0006 0200 0000 0001 0000 0800 45", .ip(at: 16)),
    (113, "0004 0001 0006 0200 0000 0001 0000 86dd 60", .ip(at: 16)),
    (113, "0000 0001 0006 0200 0000 0001 0000 8100 0005", .tagged),
    (113, "0000 0001 0006 0200 0000 0001 0000 0806 0001", .other),
    (113, "0000 0001 0006", .other),
    (276, "0800 0000 0000 0002 0001 00 06 0200 0000 0001 0000 45", .ip(at: 20)),
    (276, "86dd 0000 0000 0002 0001 00 06 0200 0000 0001 0000 60", .ip(at: 20)),
    (276, "8100 0000 0000 0002 0001 00 06 0200 0000 0001 0000 00", .tagged),
    (276, "0800 0000 0000 0002", .other),
    (0, "0200 0000 45", .ip(at: 4)), (0, "0000 0002 45", .ip(at: 4)), (108, "0000 0002 45", .ip(at: 4)),
    (0, "1e00 0000 60", .ip(at: 4)), (0, "1c00 0000 60", .ip(at: 4)), (0, "1800 0000 60", .ip(at: 4)),
    (108, "0000 000a 60", .ip(at: 4)), (0, "0700 0000 45", .other), (0, "0200", .other),
  ]

  @Test(arguments: rows)
  func content(number: UInt32, frame: String, content: LinkType.Content) throws {
    let bytes = hex(frame)
    #expect(try #require(LinkType(number)).content(of: bytes.rawSpan) == content)
  }

  @Test(arguments: [2, 105, 127, 147, 189, 65_536] as [UInt32]) func unknown(number: UInt32) {
    #expect(LinkType(number) == nil)
  }
}
