// Every word of the page in both languages, side by side: name: ["English", "中文"].

const WORDS = {
  rooms: ["Rooms", "直播间"],
  violations: ["Violations", "违规"],
  tryText: ["Check a text", "文本试检"],
  tryMedia: ["Check a picture or clip", "图片 / 音频试检"],
  room: ["Room", "房间"],
  state: ["State", "状态"],
  sampling: ["Sampling", "抽样"],
  blindImage: ["Picture blind", "画面盲区"],
  blindAudio: ["Sound blind", "声音盲区"],
  lastLook: ["Last look, per detector", "各检测器最近一次"],
  open: ["Open", "未结"],
  findRoom: ["Find a room…", "搜索房间…"],
  sort: ["Order", "排序"],
  byAttention: ["Needs attention first", "需要关注的在前"],
  byId: ["By room id", "按房间号"],
  noRooms: ["No room is being watched. Add one: livewarden rooms add ID URL", "还没有房间。添加一个：livewarden rooms add ID URL"],
  noRoomFound: ["No room matches.", "没有匹配的房间。"],
  moreRooms: ["{n} more rooms; narrow the search to see them.", "还有 {n} 个房间，缩小搜索范围即可看到。"],
  noViolations: ["Nothing found so far.", "暂未发现违规。"],
  noViolationFound: ["Nothing matches this filter.", "没有符合筛选条件的违规。"],
  older: ["Show older", "查看更早的"],
  anyLabel: ["All labels", "全部标签"],
  anyDecision: ["Any decision", "全部结论"],
  anyState: ["Open and closed", "未结与已结"],
  label: ["Label", "标签"],
  decision: ["Decision", "结论"],
  pass: ["pass", "通过"],
  review: ["review", "复审"],
  block: ["block", "拦截"],
  stateOpen: ["open", "进行中"],
  stateClosed: ["closed", "已结束"],
  stateRetracted: ["retracted", "已撤回"],
  scene: ["Scene", "场景"],
  sceneDanmaku: ["Danmaku", "弹幕"],
  sceneNickname: ["Nickname", "昵称"],
  sceneTitle: ["Room title", "房间标题"],
  sceneAnnouncement: ["Announcement", "公告"],
  scenePrivate: ["Private message", "私信"],
  check: ["Check", "检测"],
  sendKey: ["Ctrl + Enter", "Ctrl + Enter"],
  textHint: ["Type a line of danmaku, e.g. 加 薇 ❤ abc123", "输入一条弹幕，例如：加 薇 ❤ abc123"],
  dropHint: ["Drop a picture (JPEG, PNG, WebP) or a sound clip here, or click to choose", "把图片（JPEG、PNG、WebP）或音频拖到这里，或点击选择"],
  totalWatched: ["watched", "在看"],
  totalBlind: ["blind", "盲区"],
  totalOpen: ["open violations", "未结违规"],
  totalRate: ["samples/s", "样本/秒"],
  totalOutbox: ["outbox pending", "待发送"],
  totalKafka: ["Kafka", "Kafka"],
  oldest: ["oldest {s}", "最早 {s}"],
  kafka_off: ["off", "未配置"],
  kafka_connecting: ["connecting", "连接中"],
  kafka_up: ["up", "正常"],
  kafka_down: ["down", "断开"],
  modelsMissing: ["Not looking for everything: ", "部分检测未启用："],
  unreachable: ["The API does not answer: {why}. What is shown below is from {time}.", "接口无响应：{why}。以下内容停留在 {time}。"],
  upFor: ["up {s}", "已运行 {s}"],
  language: ["中文", "English"],
  themeDark: ["Dark", "深色"],
  themeLight: ["Light", "浅色"],
  keyTitle: ["API key", "API 密钥"],
  keyHint: ["This address wants a key. It is kept in this tab only.", "此地址需要密钥，仅保存在当前标签页。"],
  useKey: ["Use", "使用"],
  pull: ["pull", "拉流"],
  push: ["push", "推送"],
  watching: ["watching", "在看"],
  state_connecting: ["connecting", "连接中"],
  state_live: ["live", "直播中"],
  state_waiting: ["waiting", "等待中"],
  state_reconnecting: ["reconnecting", "重连中"],
  state_ended: ["ended", "已结束"],
  state_failed: ["failed", "失败"],
  state_quarantined: ["quarantined", "已隔离"],
  reason_not_found: ["not found", "流不存在"],
  reason_auth: ["access refused", "鉴权失败"],
  reason_timeout: ["timed out", "超时"],
  reason_no_video: ["no picture in it", "没有画面"],
  reason_no_audio: ["no sound in it", "没有声音"],
  reason_codec_unsupported: ["codec unsupported", "编码不支持"],
  reason_corrupt: ["corrupt", "数据损坏"],
  reason_ended: ["ended", "已结束"],
  reason_no_media: ["no media arrive", "没有收到媒体"],
  reason_no_stream: ["no stream", "无流"],
  reason_decode_error: ["decode error", "解码错误"],
  reason_overload: ["overload", "过载"],
  reason_model_down: ["model down", "模型不可用"],
  neverLooked: ["not yet", "尚未"],
  looked: ["{name}: {n} scored, {skipped} skipped as unchanged, {superseded} superseded, {rate}/s, floor {floor}",
    "{name}：已检 {n}，画面未变跳过 {skipped}，被新帧替换 {superseded}，{rate}/秒，保底 {floor}"],
  filterRoom: ["room {room} ✕", "房间 {room} ✕"],
  onlyThisRoom: ["Show this room's violations only", "只看该房间的违规"],
  close: ["Close", "关闭"],
  confirm: ["Confirm", "确认违规"],
  overturn: ["Overturn", "判为误报"],
  undo: ["Undo", "撤销"],
  note: ["Note (optional)", "备注（可选）"],
  reviewedAs: ["Reviewed: {action}", "复审结果：{action}"],
  action_confirm: ["confirmed", "已确认"],
  action_overturn: ["overturned", "误报"],
  action_relabel: ["relabelled", "改标"],
  evidence: ["Evidence", "证据"],
  noEvidence: ["No media stored with this one.", "这条没有存留媒体。"],
  lost: ["cannot be loaded: {why}", "无法加载：{why}"],
  textRead: ["text read", "识别文字"],
  qr: ["code", "二维码"],
  transcript: ["Transcript", "语音转写"],
  strip: ["The seconds around", "前后几秒"],
  timing: ["Time taken", "耗时"],
  facts: ["Facts", "详情"],
  json: ["JSON", "JSON"],
  session: ["Session", "场次"],
  anchor: ["Anchor", "主播"],
  business: ["Business", "业务"],
  firstSeen: ["First seen", "首次出现"],
  lastSeen: ["Last seen", "最近出现"],
  agreed: ["Samples that agree", "命中样本"],
  ofN: ["{hits} of {window}", "{window} 个中 {hits} 个"],
  detector: ["Detector", "检测器"],
  model: ["Model", "模型"],
  provider: ["Runs on", "运行于"],
  policy: ["Policy", "策略"],
  rule: ["rule", "规则"],
  severity: ["Severity", "级别"],
  hint: ["Advice", "建议处置"],
  score: ["Score", "得分"],
  masked: ["Masked", "屏蔽后"],
  contacts: ["Contacts", "联系方式"],
  degraded: ["Skipped", "未执行"],
  nothingFound: ["Nothing found.", "未发现问题。"],
  tooSlow: ["no answer in time", "超时未响应"],
  opened: ["opened", "发现于"],
  passedThrough: ["Passed through", "透传"],
  logos: ["Logos", "台标库"],
  noLogos: ["No logo is enrolled yet. Drop one above, or: livewarden logos add FILE.png", "还没有台标。把图片拖到上方，或使用：livewarden logos add FILE.png"],
  lookedFor: ["Looked for ({n})", "正在查找（{n}）"],
  everywhere: ["anywhere on the picture", "画面任意位置"],
  leastArea: ["at least {share} of the picture", "至少占画面 {share}"],
  variants: ["{n} variants", "{n} 个变体"],
  remove: ["Remove", "移除"],
  dropLogo: ["Drop pictures of one logo here (PNG, WebP, JPEG; see-through is best), or click to choose", "把同一台标的图片拖到这里（PNG、WebP、JPEG，透明底最佳），或点击选择"],
  logo_name: ["Name (a-z, 0-9, -)", "名称（a-z、0-9、-）"],
  logo_title: ["Title", "标题"],
  logo_words: ["What it says (read on the screen, too)", "台标文字（OCR 读到也算）"],
  logo_label: ["Label", "标签"],
  logo_zone: ["Where it counts", "生效区域"],
  logo_min_area: ["Least area (share)", "最小面积（占比）"],
  zone_top_left: ["top left", "左上"],
  zone_top_right: ["top right", "右上"],
  zone_bottom_left: ["bottom left", "左下"],
  zone_bottom_right: ["bottom right", "右下"],
  zone_top: ["top", "上方"],
  zone_bottom: ["bottom", "下方"],
  logoFit: ["Distinctive enough.", "辨识度足够。"],
  enrol: ["Enrol", "录入"],
  enrolAnyway: ["Enrol all the same", "仍然录入"],
  enrolledAs: ["Enrolled picture", "录入的图片"],
  gallery: ["Titles and pictures", "图库"],
  noTitles: ["Nothing is taught yet. Drop pictures above, or: livewarden gallery add NAME --label LABEL FILES", "图库为空。把图片拖到上方，或使用：livewarden gallery add NAME --label LABEL FILES"],
  moreTitles: ["{n} more: livewarden gallery list", "还有 {n} 条，请用：livewarden gallery list"],
  nPictures: ["{n} pictures, and what looks like them", "{n} 张图片及相似画面"],
  veryPictures: ["only these {n} pictures", "仅限这 {n} 张图片"],
  nAgainst: ["{n} counter-examples", "{n} 张反例"],
  startsAt: ["from {at}", "自 {at} 起"],
  endsAt: ["until {at}", "至 {at} 止"],
  backTo: ["Back to version {n}", "退回版本 {n}"],
  dropTitle: ["Drop about ten pictures or a clip of one title here, or a picture to know again; or click to choose", "把同一游戏或场景的约十张图片、一段视频，或一张已知图片拖到这里，或点击选择"],
  dropAgainst: ["And what looks like it and is not (optional)", "外观相似但并非该内容的图片（可选）"],
  clipUnread: ["This clip cannot be read by the browser ({why}); drop screenshots, or: livewarden gallery add NAME --label LABEL CLIP", "浏览器无法读取该视频（{why}）。请改用截图，或：livewarden gallery add NAME --label LABEL CLIP"],
  title_name: ["Name (a-z, 0-9, -)", "名称（a-z、0-9、-）"],
  title_title: ["Title", "标题"],
  title_alias: ["Other names, comma between", "别名，用逗号分隔"],
  title_label: ["Label", "标签"],
  title_exact: ["What to find", "查找范围"],
  title_starts_at: ["In effect from", "生效时间"],
  title_ends_at: ["Until", "失效时间"],
  whatLooksLike: ["all that looks like it", "所有相似画面"],
  onlyThese: ["only these very pictures", "仅限这些图片本身"],
  leaveOut: ["Leave out", "去掉这张"],
  teach: ["Teach", "录入"],
  taught: ["{name} is looked for.", "{name} 已生效。"],
};

const KEPT = "livewarden-language";
let index = (localStorage.getItem(KEPT) ?? navigator.language ?? "en").toLowerCase().startsWith("zh") ? 1 : 0;

/** "en" or "zh". */
export const language = () => (index ? "zh" : "en");

export function switchLanguage() {
  index = 1 - index;
  localStorage.setItem(KEPT, language());
}

/** The word of that name, with {places} filled in. */
export function word(name, values = {}) {
  const text = WORDS[name][index];
  return text.replace(/\{(\w+)\}/g, (_, place) => values[place] ?? "");
}

/** The word for a code of the API, or the code itself where this page has no word for it. */
export const coded = (prefix, code) => WORDS[`${prefix}_${code}`]?.[index] ?? code ?? "";

/** The side of a {zh, en} pair that is wanted. */
export const side = (pair) => pair?.[language()] || pair?.en || pair?.zh || "";

let labelNames = {};
export function setLabels(names) {
  labelNames = names;
}

/** Name of a label in the page's language, its code where it has none. */
export const labelName = (code) => side(labelNames[code]) || code;
export const labelCodes = () => Object.keys(labelNames);

/** Put the words into the fixed parts of the page. */
export function dress(root) {
  document.documentElement.lang = index ? "zh-CN" : "en";
  for (const node of root.querySelectorAll("[data-word]")) node.textContent = word(node.dataset.word);
  for (const node of root.querySelectorAll("[data-placeholder]")) node.placeholder = word(node.dataset.placeholder);
  for (const node of root.querySelectorAll("[data-label]")) node.setAttribute("aria-label", word(node.dataset.label));
}
