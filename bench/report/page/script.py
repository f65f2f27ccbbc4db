"""The page's one script: tables that sort, figures that enlarge. Without it everything is there.

It must hold no ``<`` followed by a letter, a slash or an exclamation mark: it stands inside its
element as it is.
"""

SCRIPT = """
'use strict';
{
  // A cell's value: a number, words, or null for what is not known.
  const value = cell => {
    const data = cell.querySelector('data');
    const text = cell.textContent.trim();
    if (data && data.dataset.ends) {
      const [low, high] = JSON.parse(data.dataset.ends);
      return low ?? high;
    }
    if (data && data.value !== '') return Number(data.value);
    if (text.startsWith('>')) return Infinity;
    return data || text === '\\u2013' ? null : text;
  };

  // What is not known comes last, whatever the direction.
  const compare = (a, b, sign) => {
    if (a === null || b === null) return (a === null) - (b === null);
    if (typeof a === 'string') return sign * a.localeCompare(b, 'en', {numeric: true});
    return a === b ? 0 : sign * (a > b ? 1 : -1);
  };

  const sort = (head, heads) => {
    const ascending = head.getAttribute('aria-sort') !== 'ascending';
    for (const other of heads) other.removeAttribute('aria-sort');
    head.setAttribute('aria-sort', ascending ? 'ascending' : 'descending');
    const body = head.closest('table').tBodies[0];
    const column = heads.indexOf(head);
    const rows = [...body.rows].map(row => [value(row.cells[column]), row]);
    rows.sort((one, two) => compare(one[0], two[0], ascending ? 1 : -1));
    body.append(...rows.map(pair => pair[1]));
  };

  for (const table of document.querySelectorAll('table.sortable')) {
    const heads = [...table.tHead.rows[table.tHead.rows.length - 1].cells];
    for (const head of heads) {
      const button = document.createElement('button');
      button.type = 'button';
      button.append(...head.childNodes);
      head.append(button);
      button.addEventListener('click', () => sort(head, heads));
    }
  }

  const dialog = document.getElementById('zoom');
  const stage = dialog.querySelector('.stage');
  let opener = null;
  dialog.querySelector('button').addEventListener('click', () => dialog.close());
  dialog.addEventListener('click', event => { if (event.target === dialog) dialog.close(); });
  dialog.addEventListener('close', () => { stage.replaceChildren(); opener.focus(); });
  for (const picture of document.querySelectorAll('figure picture')) {
    const button = document.createElement('button');
    button.type = 'button';
    button.className = 'enlarge';
    button.setAttribute('aria-label', 'Enlarge: ' + picture.querySelector('img').alt);
    picture.replaceWith(button);
    button.append(picture);
    button.addEventListener('click', () => {
      opener = button;
      stage.replaceChildren(picture.cloneNode(true));
      dialog.showModal();
    });
  }
}
"""
